#!/usr/bin/env bash
# Build the library and the packages of ros_ws with ROS 2 from wheels; `make ros` calls this. With
# ROS 2 as its distribution installs it, plain `colcon build` in the repository's root does the same.
#
#     ros_ws/build.sh VENV [argument of colcon build]...
set -euo pipefail

venv=$(realpath -s "$1")
shift
cd "$(dirname "$0")/.."

# Another ROS 2 that is sourced in this shell must not come into this build.
unset PYTHONHOME PYTHONPATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH COLCON_PREFIX_PATH
unset _ROS_WHEELS_BOOTSTRAP_COMPLETE # says that LD_LIBRARY_PATH was set
export VIRTUAL_ENV=$venv AMENT_PREFIX_PATH=$venv PATH=$venv/bin:$PATH
export MAKEFLAGS=-j$(nproc) # colcon's own would start nothing while the machine's load is high
# setuptools would rather have the licence in a form that Ubuntu 24.04's setuptools does not read.
export PYTHONWARNINGS=ignore

header=$(python -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
for need in cmake make c++; do
    command -v "$need" >/dev/null || missing+=" $need"
done
test -e "$header" || missing+=" Python.h"
if [[ -n ${missing-} ]]; then
    echo "Building the ROS 2 messages needs$missing: apt-get install cmake g++ make python3-dev" >&2
    exit 1
fi

# errors only: colcon would warn that a virtual environment has no setup file of its own
exec colcon --log-level error build "$@" --cmake-args \
    "-DCMAKE_PROJECT_INCLUDE=$PWD/ros_ws/cmake/wheels.cmake" -DBUILD_TESTING=OFF
