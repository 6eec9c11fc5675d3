"""What the tests of memory share."""

import os
import sys
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # `made_up` is imported here and by the processes tests start
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
)
torch.set_num_threads(1)
