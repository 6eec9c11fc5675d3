"""daytwo's ROS 2 nodes: thin, around the library."""
