#!/bin/sh
# dpkg-shlibdeps for a cross build: the owners of the libraries are looked up in the sysroot's dpkg database, whose file
# lists get the sysroot's path in front, because that is where the libraries are found.
# Environment: RAILHEAD_SYSROOT, RAILHEAD_ARCHITECTURE, RAILHEAD_TRIPLET. Arguments: dpkg-shlibdeps'.
set -eu
: "${RAILHEAD_SYSROOT:?}" "${RAILHEAD_ARCHITECTURE:?}" "${RAILHEAD_TRIPLET:?}"
database=$(mktemp -d)
trap 'rm -rf "$database"' EXIT
cp -r "$RAILHEAD_SYSROOT/var/lib/dpkg/." "$database/"
# Old packages say /lib, where the merged system has /usr/lib: both names.
for list in "$database"/info/*.list; do
  sed -n -e 'p' -e 's|^/lib/|/usr/lib/|p' "$list" | sed "s|^|$RAILHEAD_SYSROOT|" >"$list.new"
  mv "$list.new" "$list"
done
export DEB_HOST_ARCH="$RAILHEAD_ARCHITECTURE"
export CROSS_COMPILE="$RAILHEAD_TRIPLET-" PATH
found=$(dpkg-shlibdeps --admindir="$database" -l"$RAILHEAD_SYSROOT/usr/lib/$RAILHEAD_TRIPLET" "$@")
# An unusable database is no error to dpkg-shlibdeps: the package would have no dependencies.
case $found in
  *libc6*) printf '%s\n' "$found" ;;
  *) echo "shlibdeps: no owner found for libc6 in $RAILHEAD_SYSROOT" >&2; exit 1 ;;
esac
