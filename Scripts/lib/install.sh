# Sourced by the scripts beside: installs Debian packages that are missing, and nothing when none is.

say() { echo "$*" >&2; }

# as_root COMMAND...: runs it as root, or says why that is not possible.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null 2>&1; then
    sudo "$@"
  else
    say "This needs root and there is no sudo. Run as root: $*"
    return 1
  fi
}

# need PACKAGE...: installs the Debian packages among the arguments that are not installed yet.
need() {
  local package missing=()
  for package in "$@"; do
    if ! dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed; then
      missing+=("$package")
    fi
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if ! command -v apt-get >/dev/null 2>&1; then
    say "Please install what these Debian packages contain, then run this again: ${missing[*]}"
    return 1
  fi
  say "Installing: ${missing[*]}"
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends --quiet "${missing[@]}")
  if as_root "${install[@]}" >&2 2>/dev/null; then return 0; fi
  as_root apt-get update --quiet >&2 && as_root "${install[@]}" >&2 && return 0
  say "Could not install ${missing[*]}. Install them by hand (apt-get install ${missing[*]}), then run this again."
  return 1
}

# need_swift: the Swift toolchain is the one thing we do not install.
need_swift() {
  command -v swift >/dev/null 2>&1 && return 0
  say "The Swift toolchain (6.3 or later) is needed and 'swift' is not in PATH: https://www.swift.org/install/linux"
  return 1
}

# build_release FOLDER [PROGRAM]: builds a program, callkeeper unless told; what the build tool forgets in the temporary
# folder is removed. Chatter to stderr.
build_release() {
  local scratch status
  scratch=$(mktemp -d) || return 1
  TMPDIR=$scratch swift build --package-path "$1" --configuration release --product "${2:-callkeeper}" >&2
  status=$?
  rm -rf "$scratch"
  return $status
}

# need_unpacked PACKAGE FOLDER: unpacks a Debian package into FOLDER without installing it, so that no service of it
# is ever set up, enabled or started. Does nothing when FOLDER has it already.
need_unpacked() {
  [ -e "$2/.unpacked-$1" ] || unpack "$2" "$1"
}

# need_programs FOLDER NAME=PACKAGE...: for each program NAME that is not installed, its package and all that the package
# depends on and this machine lacks are unpacked into FOLDER, like above. Such a program runs with LD_LIBRARY_PATH.
need_programs() {
  local folder=$1 pair packages=() wanted
  shift
  for pair in "$@"; do
    PATH=$PATH:/usr/sbin command -v "${pair%%=*}" >/dev/null 2>&1 || [ -e "$folder/.unpacked-${pair#*=}" ] \
      || packages+=("${pair#*=}")
  done
  [ ${#packages[@]} -eq 0 ] && return 0
  wanted=$(missing_packages "${packages[@]}")
  [ -n "$wanted" ] || { as_root apt-get update -qq >&2; wanted=$(missing_packages "${packages[@]}"); }
  [ -n "$wanted" ] || { say "Could not find the packages ${packages[*]}."; return 1; }
  # shellcheck disable=SC2086
  unpack "$folder" $wanted
}

# missing_packages PACKAGE...: what installing these would add to this machine.
missing_packages() {
  LC_ALL=C apt-get install --simulate --no-install-recommends "$@" 2>/dev/null | awk '$1 == "Inst" { print $2 }'
}

# unpack FOLDER PACKAGE...: downloads the packages, unpacks them into FOLDER, and notes there which these were.
unpack() {
  local folder=$1 download file package
  shift
  say "Unpacking into $folder (not installed): $*"
  mkdir -p "$folder" && folder=$(cd "$folder" && pwd) || return 1
  download=$(mktemp -d) || return 1
  # apt fetches as an unprivileged user of its own, who must be able to write here.
  [ "$(id -u)" -eq 0 ] && chown _apt "$download" 2>/dev/null
  if ! (cd "$download" && { apt-get download -qq "$@" || { as_root apt-get update -qq && apt-get download -qq "$@"; }; }) >&2; then
    rm -rf "$download"
    say "Could not fetch $*."
    return 1
  fi
  for file in "$download"/*.deb; do
    dpkg -x "$file" "$folder" || { rm -rf "$download"; say "Could not unpack $file."; return 1; }
  done
  rm -rf "$download"
  for package in "$@"; do touch "$folder/.unpacked-$package"; done
}
