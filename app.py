"""The app: `python app.py` serves it on this machine; on a Hugging Face Space it is started the same way."""

from nst.ui.app import build_app, main

__all__ = ["build_app", "main"]

if __name__ == "__main__":
    code = main()
    from nst.server.stopping import leave

    leave(code)
