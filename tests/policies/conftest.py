"""What the tests of the learner share."""

import os
import sys
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # `point_env` is imported here and by the processes tests start
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
torch.set_num_threads(1)  # matrices this small only lose time between threads
