import subprocess
from pathlib import Path

import imageio.v3 as iio
import imageio_ffmpeg
import numpy as np
import pytest

from daytwo.curricula.attempts import expert
from daytwo.film import BORDER, GREEN, HEIGHT, HOLD, WIDTH, film
from daytwo.sim.arms import load_arm
from daytwo.sim.gl import has_egl

needs_egl = pytest.mark.skipif(not has_egl(), reason="nothing draws without libEGL")


@needs_egl
@pytest.mark.slow  # software rendering takes a while
def test_a_film_shows_success_and_plays_in_browsers(tmp_path: Path) -> None:
    path = tmp_path / "videos" / "reach.mp4"
    film(load_arm("panda"), "reach", expert, path)
    frames = iio.imread(path)
    assert frames.shape[1:] == (HEIGHT, WIDTH, 3)
    assert len(frames) > 3 * HOLD
    assert np.ptp(frames[0].astype(int)) > 100  # something is to be seen
    edge = frames[-1][BORDER // 2, WIDTH // 2].astype(int)
    assert np.abs(edge - GREEN).max() < 40  # the last attempt's end is framed in green
    told = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path)],
        capture_output=True,
        text=True,
        check=False,
    ).stderr
    assert "h264" in told
    assert "yuv420p" in told
    assert "20 fps" in told
    assert list(path.parent.iterdir()) == [path]
