"""The app's tabs: one thin file each. The only folder that imports gradio; it computes nothing itself."""
