# How our messages are built with ROS 2 from wheels: passed as CMAKE_PROJECT_INCLUDE, so that nobody's
# environment is edited. With ROS 2 as its distribution installs it, nothing needs this file.

# There is no C++ client library among the wheels, and what it would need takes half of the build.
find_package(rosidl_default_generators REQUIRED)
list(FILTER AMENT_EXTENSIONS_rosidl_generate_idl_interfaces EXCLUDE REGEX "_cpp:")

# The libraries find each other where LD_LIBRARY_PATH was not set before the process began.
set(CMAKE_INSTALL_RPATH "$ORIGIN")

# The include folders that the wheels' targets name are those of the machine on which the wheels were
# built. Drop what does not exist; our own targets name this interpreter's.
function(daytwo_drop_missing_includes)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(folders)
      set(kept "")
      foreach(folder IN LISTS folders)
        if(NOT IS_ABSOLUTE "${folder}" OR EXISTS "${folder}")
          list(APPEND kept "${folder}")
        endif()
      endforeach()
      set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${kept}")
    endif()
  endforeach()
endfunction()

# Its C++ from one file that includes the generated ones, so that the headers are read once.
function(daytwo_unite_cpp)
  set_target_properties(${PROJECT_NAME}__rosidl_typesupport_fastrtps_c PROPERTIES
    UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
endfunction()

# The targets are there after the last line of CMakeLists.txt.
cmake_language(DEFER CALL daytwo_drop_missing_includes)
cmake_language(DEFER CALL daytwo_unite_cpp)
