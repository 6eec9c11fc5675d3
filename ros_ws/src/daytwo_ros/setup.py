from setuptools import setup

NAME = "daytwo_ros"
SCRIPTS = (
    "arm_driver",
    "drive",
    "graph",
    "learner",
    "memory_recorder",
    "object_source",
    "send_goal",
    "skill_server",
    "twin_day",
)

setup(
    name=NAME,
    version="0.1.0",
    description="daytwo's ROS 2 nodes",
    license="Apache-2.0",
    maintainer="The daytwo authors",
    maintainer_email="daytwo@example.org",
    packages=[NAME],
    package_data={NAME: ["py.typed"]},
    install_requires=["setuptools"],
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": [f"{name} = {NAME}.begin:main" for name in SCRIPTS],
    },
    zip_safe=True,
)
