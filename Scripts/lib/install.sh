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

# build_release: builds the program; what the build tool forgets in the temporary folder is removed. Chatter to stderr.
build_release() {
  local scratch status
  scratch=$(mktemp -d) || return 1
  TMPDIR=$scratch swift build --package-path "$1" --configuration release --product callkeeper >&2
  status=$?
  rm -rf "$scratch"
  return $status
}

# need_unpacked PACKAGE FOLDER: unpacks a Debian package into FOLDER without installing it, so that no service of it
# is ever set up, enabled or started. Does nothing when FOLDER has it already.
need_unpacked() { unpack "$1" "$2" "$1"; }

# need_program NAME PACKAGE FOLDER: nothing when the program NAME is installed; else its package and everything that
# the package depends on and this machine lacks are unpacked into FOLDER, like above. It runs with LD_LIBRARY_PATH.
need_program() {
  local name=$1 package=$2 folder=$3 wanted
  PATH=$PATH:/usr/sbin command -v "$name" >/dev/null 2>&1 && return 0
  [ -e "$folder/.unpacked-$package" ] && return 0
  wanted=$(missing_packages "$package")
  [ -n "$wanted" ] || { as_root apt-get update -qq >&2; wanted=$(missing_packages "$package"); }
  [ -n "$wanted" ] || { say "No package $package to be had."; return 1; }
  # shellcheck disable=SC2086
  unpack "$package" "$folder" $wanted
}

# missing_packages PACKAGE: what an installation would add to this machine.
missing_packages() {
  LC_ALL=C apt-get install --simulate --no-install-recommends "$1" 2>/dev/null | awk '$1 == "Inst" { print $2 }'
}

# unpack NAME FOLDER PACKAGE...: downloads the packages and unpacks them into FOLDER, once for each NAME.
unpack() {
  local name=$1 folder=$2 download file
  shift 2
  [ -e "$folder/.unpacked-$name" ] && return 0
  say "Unpacking $name into $folder (not installed)"
  mkdir -p "$folder" && folder=$(cd "$folder" && pwd) || return 1
  download=$(mktemp -d) || return 1
  # apt fetches as an unprivileged user of its own, who must be able to write here.
  [ "$(id -u)" -eq 0 ] && chown _apt "$download" 2>/dev/null
  if ! (cd "$download" && { apt-get download -qq "$@" || { as_root apt-get update -qq && apt-get download -qq "$@"; }; }) >&2; then
    rm -rf "$download"
    say "Could not fetch $name."
    return 1
  fi
  for file in "$download"/*.deb; do
    dpkg -x "$file" "$folder" || { rm -rf "$download"; say "Could not unpack $file."; return 1; }
  done
  rm -rf "$download"
  touch "$folder/.unpacked-$name"
}
