from glob import glob

from setuptools import setup

NAME = "daytwo_bringup"
FOLDERS = ("config", "launch", "rviz")  # what stands in each goes to share/

setup(
    name=NAME,
    version="0.1.0",
    description="Parameters, middleware settings and RViz views for daytwo's nodes",
    license="Apache-2.0",
    maintainer="The daytwo authors",
    maintainer_email="daytwo@example.org",
    packages=[],
    install_requires=["setuptools"],
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        *((f"share/{NAME}/{folder}", sorted(glob(f"{folder}/*"))) for folder in FOLDERS),
    ],
    zip_safe=True,
)
