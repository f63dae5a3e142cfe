"""The example of docs/scale.md, as it stands there, where Ray is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import picture

from nst.images import save, to_pil

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "nst" / "docs" / "scale.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_ray_paints_a_folder(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "photos").mkdir()
    for i in range(6):
        save(tmp_path / "photos" / f"{i}.jpg", to_pil(picture(i, 48, 64)))
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "scale.py").write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, "scale.py"], cwd=tmp_path, capture_output=True, text=True)
    assert "6 painted" in done.stdout, done.stderr
    assert len(list((tmp_path / "painted").glob("*.png"))) == 6
