import pytest

import daytwo.sim.gl
from daytwo.sim.gl import choose_backend


@pytest.mark.parametrize(
    ("egl", "display", "before", "after"),
    [
        (True, "", None, "egl"),
        (True, ":0", "", "egl"),
        (True, "", "egl", "egl"),
        (True, "", "glfw", "glfw"),  # the user's word is kept
        (False, "", None, "disabled"),
        (False, ":0", None, None),  # MuJoCo's own default draws on the screen
        (False, ":0", "egl", "disabled"),  # otherwise `import mujoco` would fail
        (False, "", "osmesa", "osmesa"),
    ],
)
def test_backend(
    monkeypatch: pytest.MonkeyPatch, egl: bool, display: str, before: str | None, after: str | None
) -> None:
    monkeypatch.setattr(daytwo.sim.gl, "has_egl", lambda: egl)
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.setenv("MUJOCO_GL", before or "")  # so that it is put back in any case
    if before is None:
        monkeypatch.delenv("MUJOCO_GL")
    choose_backend()
    assert daytwo.sim.gl.os.environ.get("MUJOCO_GL") == after
