"""Pictures of the batched world. Needs a GL backend: `MUJOCO_GL=egl` where there is no screen."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from daytwo.errors import InputError
from daytwo.sim.engine import MujocoEngine
from daytwo.sim.fixtures import PART, has_part
from daytwo.sim.world import World


class Camera:
    """Renders single simulations of a world, one at a time.

    Args:
        world: what to look at.
        width: of the picture [px].
        height: of the picture [px].

    Raises:
        InputError: if the world is not MuJoCo's, or no GL context can be made; says how to get one.
    """

    def __init__(self, world: World, width: int = 480, height: int = 360) -> None:
        engine = world.engine
        if not isinstance(engine, MujocoEngine):
            raise InputError(f"only MuJoCo's world can be rendered, not {type(engine).__name__}'s")
        self._world, self._batch = world, engine.batch
        self._model = engine.batch.get_model(0)
        self._data = engine.batch.get_data(0)
        try:
            self._renderer = mujoco.Renderer(self._model, height, width)
        except Exception as error:  # each GL backend raises its own kind
            raise InputError(
                f"no OpenGL context for rendering ({type(error).__name__}: {error}); set "
                "MUJOCO_GL=egl and install EGL (Debian: apt-get install libegl1 libgl1-mesa-dri)"
            ) from error
        self._goal = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_SITE, "goal")
        self._cubes = [
            mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_GEOM, f"object{i}")
            for i in range(engine.n_objects)
        ]

    def frame(self, i: int) -> NDArray[np.uint8]:
        """Simulation i now, (height, width, 3)."""
        world, model, data = self._world, self._model, self._data
        self._batch.get_model(i, model)
        self._batch.get_data(i, data)
        model.site_pos[self._goal] = world.state.p_goal[i]
        part = bool(has_part(world.state.fixture[i]))
        for slot, geom in enumerate(self._cubes):
            there = world.state.half[i, slot] > 0 and not (part and slot == PART)
            model.geom_rgba[geom, 3] = float(there)
        mujoco.mj_forward(model, data)
        self._renderer.update_scene(data, camera="side")
        return np.asarray(self._renderer.render().copy())

    def close(self) -> None:
        self._renderer.close()
