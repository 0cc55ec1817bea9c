# Agents may exchange any folder for a symbolic link at any time. So a folder is entered name by name, and after each step the
# kernel says where the shell really is; from there rm removes a name of the folder it stands in, and follows no link.
top=$(cd -P -- "$teams" && pwd -P) || exit 1
sweep() {
  number=$1 at=$top
  shift
  cd -P -- "$top" || return
  while [ $# -gt 1 ]; do
    if ! [ -e "./$1" ] && ! [ -L "./$1" ]; then
      echo "$number gone"
      return
    fi
    at=$at/$1
    if ! cd -P -- "./$1" 2>/dev/null || [ "$(pwd -P)" != "$at" ]; then
      echo "$number left: $1 cannot be entered, or is a symbolic link or a file, where a folder should be"
      return
    fi
    shift
  done
  why=$(rm -rf -- "./$1" 2>&1 | head -n 1 | cut -c 1-300)
  if [ -e "./$1" ] || [ -L "./$1" ]; then
    echo "$number left: ${why:-it is there again}"
  else
    echo "$number gone"
  fi
}
