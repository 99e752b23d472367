#!/bin/sh
# make-sysroot.sh ARCH DIR: a sysroot of Debian packages for arm64, armhf (or any other Debian architecture).
# No root, no change of this machine: apt with its own state folder resolves and verifies, dpkg-deb unpacks. The mirrors
# are those of this machine's apt sources; only the entries for Debian itself are used.
# When nothing changed it ends after comparing the list of packages. Needs: apt, dpkg, debian-archive-keyring.
# SUITE=bookworm (default: this machine's release). The cache is $XDG_CACHE_HOME/railhead-sysroot, ~/.cache otherwise.
set -eu

usage="usage: make-sysroot.sh arm64|armhf DIR"
architecture=${1:?$usage}
target=${2:?$usage}
here=$(cd "$(dirname "$0")" && pwd)
suite=${SUITE:-$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/railhead-sysroot/$suite-$architecture
list=$here/sysroot-packages
mkdir -p "$target" "$cache/lists/partial" "$cache/archives/partial" "$cache/etc/none"
target=$(cd "$target" && pwd)

say() { printf '%s\n' "sysroot $architecture: $*" >&2; }

# What the sysroot is made of; an unchanged one is good for a day without asking the mirror.
fingerprint=$(cat "$list" "$here/make-sysroot.sh" | sha256sum | cut -d ' ' -f 1)
if [ -f "$target/.railhead-fingerprint" ] && [ "$(cat "$target/.railhead-fingerprint")" = "$fingerprint" ] &&
   [ -z "${REFRESH:-}" ] && [ -n "$(find "$target/.railhead-fingerprint" -mtime -1)" ]; then
  say "up to date"
  exit 0
fi

# The Debian entries of this machine's sources, for the other architecture. One-line and deb822 forms.
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
entries=$cache/etc/entries
: >"$entries"
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
  [ -f "$file" ] || continue
  sed -n 's/#.*//; s/^ *deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\)  *\([^ ]*\)  *.*/\2 \3/p' "$file" >>"$entries"
done
for file in /etc/apt/sources.list.d/*.sources; do
  [ -f "$file" ] || continue
  awk '
    function flush(  i, j, n, m, u, s) {
      if (types ~ /(^| )deb( |$)/ && enabled != "no") {
        n = split(uris, u, " "); m = split(suites, s, " ")
        for (i = 1; i <= n; i++) for (j = 1; j <= m; j++) print u[i], s[j]
      }
      types = uris = suites = enabled = ""
    }
    /^#/ { next }
    /^[ \t]*$/ { flush(); next }
    tolower($1) == "types:" { sub(/^[^:]*: */, ""); types = $0 }
    tolower($1) == "uris:" { sub(/^[^:]*: */, ""); uris = $0 }
    tolower($1) == "suites:" { sub(/^[^:]*: */, ""); suites = $0 }
    tolower($1) == "enabled:" { enabled = tolower($2) }
    END { flush() }' "$file" >>"$entries"
done
main=$(awk -v suite="$suite" '$2 == suite && $1 ~ /debian\/?$/ { print $1; exit }' "$entries")
security=$(awk -v suite="$suite-security" '$2 == suite { print $1; exit }' "$entries")
if [ -z "$main" ]; then
  say "no Debian mirror for $suite in this machine's apt sources; add one, or set SUITE"
  exit 1
fi

write_sources() {
  {
    echo "deb [arch=$architecture signed-by=$keyring] $main $suite main"
    echo "deb [arch=$architecture signed-by=$keyring] $main $suite-updates main"
    [ -z "$1" ] || echo "deb [arch=$architecture signed-by=$keyring] $1 $suite-security main"
  } >"$cache/etc/sources.list"
}

# apt as if this were an empty machine of the other architecture. The machine's own apt settings (proxies) still hold.
cat >"$cache/etc/apt.conf" <<CONF
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
APT::Get::Assume-Yes "true";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::Etc::sourcelist "$cache/etc/sources.list";
Dir::Etc::sourceparts "$cache/etc/none";
Dir::Etc::preferences "$cache/etc/none/preferences";
Dir::Etc::preferencesparts "$cache/etc/none";
Dir::State "$cache";
Dir::State::lists "$cache/lists";
Dir::State::status "$cache/status";
Dir::State::extended_states "$cache/extended_states";
Dir::Cache "$cache";
Dir::Cache::archives "$cache/archives";
Dir::Cache::srcpkgcache "";
Dir::Cache::pkgcache "";
Debug::NoLocking "true";
CONF
: >"$cache/status"
export APT_CONFIG="$cache/etc/apt.conf"

# Asking the mirror is worth it once a day; -security may be out of step for an architecture, then it is left out.
write_sources "$security"
stamp=$cache/updated
if [ ! -f "$stamp" ] || [ -z "$(find "$stamp" -mtime -1)" ] || [ -n "${REFRESH:-}" ] || ! ls "$cache"/lists/*_Packages* >/dev/null 2>&1; then
  say "reading the mirror's index"
  if ! apt-get -qq --error-on=any update >"$cache/update.log" 2>&1; then
    say "the security index is not usable just now; going on without it"
    write_sources ""
    apt-get -qq update >"$cache/update.log" 2>&1 || { cat "$cache/update.log" >&2; exit 1; }
  fi
  : >"$stamp"
fi

packages=$(grep -v '^#' "$list" | tr '\n' ' ')
# shellcheck disable=SC2086
download() { apt-get -qq --download-only install $packages; }
# An empty archive folder in the question, so that packages already there are named too.
# shellcheck disable=SC2086
wanted=$(apt-get -qq --print-uris -o Dir::Cache::archives="$cache/etc" install $packages | cut -d ' ' -f 2 | sort)
[ -n "$wanted" ] || { say "apt finds no packages"; exit 1; }
manifest=$(printf '%s\n' "$fingerprint" "$wanted")
if [ -f "$target/.railhead-manifest" ] && [ "$(cat "$target/.railhead-manifest")" = "$manifest" ]; then
  printf '%s' "$fingerprint" >"$target/.railhead-fingerprint"
  say "up to date"
  exit 0
fi

say "fetching $(printf '%s\n' "$wanted" | wc -l) packages"
download >"$cache/download.log" 2>&1 || { cat "$cache/download.log" >&2; exit 1; }

say "unpacking into $target"
fresh=$target.new
rm -rf "$fresh"
mkdir -p "$fresh/var/lib/dpkg/info"
# The merged /usr first, so that packages which still carry /lib land in it.
for folder in bin sbin lib; do
  mkdir -p "$fresh/usr/$folder"
  ln -s "usr/$folder" "$fresh/$folder"
done
: >"$fresh/var/lib/dpkg/status"
echo 1 >"$fresh/var/lib/dpkg/info/format"  # file lists of Multi-Arch: same packages are named PACKAGE:ARCH.list
printf '%s\n' "$(dpkg --print-architecture)" "$architecture" >"$fresh/var/lib/dpkg/arch"
for deb in $wanted; do
  file=$cache/archives/$deb
  dpkg-deb --fsys-tarfile "$file" | tar -x -f - -C "$fresh" --keep-directory-symlink --no-same-owner \
    --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale --exclude=./usr/share/lintian
  # A dpkg database, which dependency computation of the package needs.
  name=$(dpkg-deb -f "$file" Package)
  [ "$(dpkg-deb -f "$file" Multi-Arch)" != same ] || name=$name:$architecture
  {
    dpkg-deb -f "$file" | sed 's/^Package: .*/&\nStatus: install ok installed/'
    echo
  } >>"$fresh/var/lib/dpkg/status"
  dpkg-deb --fsys-tarfile "$file" | tar -t -f - | sed 's|^\.||; s|/$||; s|^$|/.|' >"$fresh/var/lib/dpkg/info/$name.list"
  dpkg-deb -e "$file" "$cache/control"
  for part in shlibs symbols; do
    [ ! -f "$cache/control/$part" ] || cp "$cache/control/$part" "$fresh/var/lib/dpkg/info/$name.$part"
  done
  rm -rf "$cache/control"
done

# Absolute links would point into this machine.
find "$fresh" -type l -lname '/*' | while read -r link; do
  ln -snf "$(realpath -m --relative-to="$(dirname "$link")" "$fresh$(readlink "$link")")" "$link"
done

printf '%s' "$manifest" >"$fresh/.railhead-manifest"
printf '%s' "$fingerprint" >"$fresh/.railhead-fingerprint"
rm -rf "$target"
mv "$fresh" "$target"
say "ready"
