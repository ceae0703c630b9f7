#!/bin/bash -p
#
# Configures a kube-apiserver that runs as a static pod to send bearer tokens to ack-ram-authenticator; see --help.
#
# The script parses the structure of the manifest and does not use text patterns. If it does not fully understand the
# manifest, it refuses to change it: an API server that does not start again locks out all users.
#
# The script runs as root, so its arguments are its only input. It ignores the environment and the current folder, runs
# programs only from the folders below, and refuses files that another user may write.

# Restart with an empty environment. Without -p, Bash imports functions from the environment, which may have the name of
# any command. In POSIX mode, a function cannot replace `exec`.
if [[ $- != *p* ]] || read -r -N 1 _ </proc/$$/environ; then
  POSIXLY_CORRECT=1
  # If Bash reads the script from a pipe, the new Bash continues to read from the same pipe.
  [[ -n ${BASH_SOURCE[0]-} ]] || exec /usr/bin/env -i /bin/bash -p -s -- "$@"
  exec /usr/bin/env -i /bin/bash -p -- "${BASH_SOURCE[0]}" "$@"
fi

PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin
set -euo pipefail
export LC_ALL=C PATH
umask 077

usage() {
  cat <<'END'
Configure kube-apiserver to send bearer tokens to ack-ram-authenticator

Usage: example-configure-api-server.sh [options]

Run this script as root on each control-plane node after the webhook kubeconfig has been written. The script adds the
flag --authentication-token-webhook-config-file and a read-only mount of the kubeconfig's folder to the manifest of the
static pod. It does not add a part that the manifest already has. The kubelet then restarts kube-apiserver.

Options:
  --manifest FILE    Manifest of the static pod. Defaults to /etc/kubernetes/manifests/kube-apiserver.yaml
  --kubeconfig FILE  Webhook kubeconfig. Defaults to /etc/kubernetes/ack-ram-authenticator/kubeconfig.yaml
  --backup-dir DIR   Folder for copies of the manifest before and after the change. Must be outside the folder of the
                     manifest, where the kubelet would start the copies as pods. Defaults to
                     /var/lib/ack-ram-authenticator/backups
  --dry-run          Show the change without making it
  --undo             Revert the latest change: restore the previous manifest byte for byte. If the manifest has been
                     edited since the change, remove only the added parts
  -h, --help         Show this help

The script runs programs only from /usr/sbin, /usr/bin, /sbin, /bin, /usr/local/sbin and /usr/local/bin, and ignores the
environment. The manifest, the backups and the kubeconfig must be in folders that no other user may write, except the
owner of the manifest's folder, who can start pods as root anyway. --undo only warns about the folders of the manifest.

The script checks the manifest before and after the change with its own parser, and with kubectl or, if kubectl is not
installed, Python's yaml module. It replaces the manifest in one step, and keeps owner and mode.

Exit codes:
  0  success, or nothing to do
  1  refused or failed; the manifest has not been changed
  2  invalid usage
END
}

fail() {
  printf 'error: %s\n' "$@" >&2
  exit 1
}

wrong_usage() {
  printf 'error: %s\nTry --help.\n' "$1" >&2
  exit 2
}

say() {
  printf '%s\n' "$@"
}

# ---- Command line -----------------------------------------------------------------------------------------------------

manifest=/etc/kubernetes/manifests/kube-apiserver.yaml
kubeconfig=/etc/kubernetes/ack-ram-authenticator/kubeconfig.yaml
backup_dir=/var/lib/ack-ram-authenticator/backups
dry_run=false
undo=false

while (($# > 0)); do
  case $1 in
    --manifest | --kubeconfig | --backup-dir)
      (($# > 1)) || wrong_usage "$1 needs a value"
      option=$1 value=$2
      shift 2
      ;;
    --manifest=* | --kubeconfig=* | --backup-dir=*)
      option=${1%%=*} value=${1#*=}
      shift
      ;;
    --dry-run) dry_run=true && shift && continue ;;
    --undo) undo=true && shift && continue ;;
    -h | --help) usage && exit 0 ;;
    *) wrong_usage "unknown argument: $1" ;;
  esac
  [[ -n $value ]] || wrong_usage "$option needs a value"
  case $option in
    --manifest) manifest=$value ;;
    --kubeconfig) kubeconfig=$value ;;
    --backup-dir) backup_dir=$value ;;
  esac
done

# The manifest gets the path without quotes.
plain_path='^(/[A-Za-z0-9._+@-]+)+$'
[[ $kubeconfig =~ $plain_path && $kubeconfig/ != */./* && $kubeconfig/ != */../* ]] ||
  wrong_usage "--kubeconfig must be an absolute path of letters, digits and . _ + @ - without '..': $kubeconfig"
folder=${kubeconfig%/*}
[[ -n $folder ]] ||
  wrong_usage "--kubeconfig must be in a folder of its own, which is mounted into kube-apiserver"
# A mount at one of these folders hides files of the image and the runtime, such as the program itself, or is impossible.
case $folder in
  /dev | /dev/* | /proc | /proc/* | /sys | /sys/* | /bin | /sbin | /lib | /lib64 | /boot | /etc | /run | /tmp | /var | \
    /var/run | /usr | /usr/bin | /usr/sbin | /usr/lib | /usr/lib64 | /usr/local | /usr/local/bin | /usr/local/sbin)
    wrong_usage "--kubeconfig must be in a folder of its own; the mount would hide $folder in the container: $kubeconfig"
    ;;
esac

# Relative paths are relative to the caller's folder. The script leaves that folder, because programs may load files from
# the folder in which they run.
here=$(pwd -P)
[[ $manifest == /* ]] || manifest=$here/$manifest
[[ $backup_dir == /* ]] || backup_dir=$here/$backup_dir
cd /

for tool in awk basename cat cmp cp date diff dirname grep mkdir mktemp mv readlink rm sed sort stat sync tail; do
  command -v "$tool" >/dev/null || fail "the program '$tool' is required, but not installed"
done

# ---- Parsing a manifest -----------------------------------------------------------------------------------------------

# Prints the outline of a YAML document in block style: one line for each node, in document order. Its fields, separated
# by tabs, are:
#   pointer (as in JSON Pointer), kind, first line, last line, column of its children, value
# Kinds: map, seq, null, scalar, escaped (a scalar whose escapes are not decoded), flow (kept as text), block.
# Exits with code 3 and a message if the document has a construct that it does not support.
# shellcheck disable=SC2016
outline_program='
function refuse(text) {
  printf "line %d: %s\n", NR, text > "/dev/stderr"
  failed = 1
  exit 3
}

function spaces(text) {
  return match(text, /^ +/) ? RLENGTH : 0
}

function is_nothing(text) {
  return text ~ /^[ \t]*$/ || text ~ /^[ \t]*#/
}

function add(pointer, parent, kind, column, value) {
  if (pointer in kind_of) refuse("duplicate key: " pointer)
  order[++count] = pointer
  parent_of[pointer] = parent
  kind_of[pointer] = kind
  first[pointer] = NR
  column_of[pointer] = column
  value_of[pointer] = value
  reach(pointer)
}

# Extends a node and its parents to this line.
function reach(pointer) {
  for (;;) {
    last[pointer] = NR
    if (pointer == "") return
    pointer = parent_of[pointer]
  }
}

# Makes the map (or, for a dash, the sequence) at this column the current one; opens it if a value is due.
function enter(column, dash, type) {
  while (depth > 0 && (column_at[depth] > column || (column_at[depth] == column && type_at[depth] == "seq" && !dash)))
    depth--
  if (depth > 0 && column_at[depth] == column && (type_at[depth] == "seq") == dash) return
  if (depth > 0 && column_at[depth] == column && !due[depth]) refuse("expected a key, found a list item")
  if (!due[depth])
    refuse("the indentation matches no line above, or the line continues a value of a line above; write that value on one line")
  type = dash ? "seq" : "map"
  due[depth] = 0
  pointer_at[depth + 1] = child[depth]
  depth++
  type_at[depth] = type
  column_at[depth] = column
  due[depth] = 0
  items[depth] = 0
  kind_of[pointer_at[depth]] = type
  column_of[pointer_at[depth]] = column
}

# Returns the index of the closing quote of the quoted text at the start.
function closing(text, quote, at, character) {
  quote = substr(text, 1, 1)
  for (at = 2; at <= length(text); at++) {
    character = substr(text, at, 1)
    if (quote == "\"" && character == "\\") at++
    else if (character == quote) {
      if (quote == "\"" || substr(text, at + 1, 1) != quote) return at
      at++
    }
  }
  refuse("a quote is not closed on its line; write the value on one line")
}

# Sets `value` and `kind`.
function unquote(text) {
  kind = "scalar"
  value = substr(text, 2, length(text) - 2)
  if (substr(text, 1, 1) == "\047") gsub(/\047\047/, "\047", value)
  else if (value ~ /\\/) kind = "escaped"
}

function end_of_flow(text, at, character, open) {
  for (at = 1; at <= length(text); at++) {
    character = substr(text, at, 1)
    if (character ~ /["\047]/) at += closing(substr(text, at)) - 1
    else if (character ~ /[[{]/) open++
    else if (character ~ /[]}]/ && --open == 0) return at
  }
  refuse("flow style ({...} or [...]) over several lines; write it as lines with indentation")
}

# Parses the value at the start of the text: sets `kind` and `value`.
function read_value(text, end) {
  kind = "null"
  value = ""
  if (is_nothing(text)) return
  if (text ~ /^["\047]/) {
    end = closing(text)
    if (!is_nothing(substr(text, end + 1)) || substr(text, end + 1) ~ /^#/) refuse("something follows a closing quote")
    unquote(substr(text, 1, end))
  } else if (text ~ /^[[{]/) {
    end = end_of_flow(text)
    if (!is_nothing(substr(text, end + 1)) || substr(text, end + 1) ~ /^#/) refuse("something follows a closing bracket")
    kind = "flow"
    value = substr(text, 1, end)
  } else if (text ~ /^[|>]/) {
    if (text !~ /^[|>][-0-9]*[ \t]*$/ && text !~ /^[|>][-0-9]*[ \t]+#/) refuse("this kind of block text is not supported")
    kind = "block"
  } else if (text ~ /^[&*!]/) {
    refuse("anchors, aliases and tags (&, *, !) are not supported; write the value itself")
  } else if (text ~ /^[%@`,}\]]/ || text ~ /^[?:-]([ \t]|$)/) {
    refuse("this YAML is not supported")
  } else {
    sub(/[ \t]+#.*$/, "", text)
    sub(/[ \t]+$/, "", text)
    if (text ~ /:$/ || text ~ /:[ \t]/) refuse("a second key on one line")
    kind = "scalar"
    value = text
  }
}

# Splits `key: rest` and sets `key` and `rest`. Returns whether the text has this form.
function read_key(text, end, plain) {
  if (text ~ /^["\047]/) {
    end = closing(text)
    rest = substr(text, end + 1)
    if (rest !~ /^[ ]*:([ \t]|$)/) return 0
    sub(/^[ ]*:/, "", rest)
    unquote(substr(text, 1, end))
    if (kind == "escaped") refuse("a key with a backslash is not supported")
    key = value
  } else {
    if (text ~ /^[[{&*!|>%@`]/) return 0
    plain = text
    sub(/[ \t]+#.*$/, "", plain)
    if (!match(plain, /:([ \t]|$)/)) return 0
    key = substr(plain, 1, RSTART - 1)
    rest = substr(text, RSTART + 1)
    sub(/ +$/, "", key)
  }
  if (key == "<<") refuse("merge keys (<<) are not supported; write the values themselves")
  if (key ~ /\t/) refuse("a tab in a key")
  gsub(/~/, "~0", key)
  gsub(/\//, "~1", key)
  sub(/^[ \t]+/, "", rest)
  return 1
}

function set_value(pointer, column) {
  kind_of[pointer] = kind
  value_of[pointer] = value
  due[depth] = kind == "null"
  child[depth] = pointer
  if (kind == "block") {
    block = pointer
    block_column = column
  }
}

BEGIN {
  depth = 0
  # The document itself.
  add("", "", "null", 0, "")
  due[0] = 1
  child[0] = ""
  block_column = -1
}

{
  sub(/\r$/, "")
  if ($0 ~ /\r/) refuse("a carriage return inside the line")
  if (block_column >= 0) {
    if ($0 ~ /^ *$/) {
      skipped = skipped "\\n"
      next
    }
    if (spaces($0) > block_column) {
      value_of[block] = value_of[block] skipped "\\n" $0
      skipped = ""
      reach(block)
      next
    }
    block_column = -1
    skipped = ""
  }
  if (is_nothing($0)) next
  if ($0 ~ /^ *\t/) refuse("a tab in the indentation, which YAML forbids")
  if ($0 ~ /^\357\273\277/) refuse("a byte order mark; save the file without it")
  if ($0 ~ /^---([ \t]|$)/) {
    if (count > 1 || started++ || !is_nothing(substr($0, 4))) refuse("expected one static pod, found more than one document")
    next
  }
  if ($0 ~ /^\.\.\.([ \t]|$)/ || $0 ~ /^%/) refuse("document ends and directives are not supported")

  column = spaces($0)
  text = substr($0, column + 1)
  dashed = 0
  while (text ~ /^-([ \t]|$)/) {
    enter(column, 1)
    dashed = 1
    item = pointer_at[depth] "/" items[depth]++
    add(item, pointer_at[depth], "null", column, "")
    due[depth] = 1
    child[depth] = item
    text = substr(text, 2)
    if (is_nothing(text)) next
    if (text ~ /^ *\t/) refuse("a tab after a dash; write a space")
    column += 1 + spaces(text)
    text = substr(text, 1 + spaces(text))
  }
  if (text ~ /^\?([ \t]|$)/) refuse("keys written with ? are not supported")
  if (read_key(text)) {
    enter(column, 0)
    pointer = pointer_at[depth] "/" key
    add(pointer, pointer_at[depth], "null", column, "")
    read_value(rest)
    set_value(pointer, column)
  } else if (dashed) {
    read_value(text)
    set_value(item, column_at[depth])
  } else if (text ~ /^[[{]/) {
    refuse("flow style ({...} or [...]); write it as lines with indentation")
  } else {
    refuse("expected a key or a list item; if a value spans several lines, write it on one line")
  }
}

END {
  if (failed) exit 3
  for (i = 1; i <= count; i++) {
    pointer = order[i]
    printf "%s\t%s\t%d\t%d\t%d\t%s\n", pointer, kind_of[pointer], first[pointer], last[pointer], column_of[pointer], value_of[pointer]
  }
}
'

# Functions for both programs below: they load the outline into arrays and find the container of kube-apiserver.
# shellcheck disable=SC2016
pod_functions='
function refuse(text) {
  print text > "/dev/stderr"
  failed = 1
  exit 3
}

function read_outline(line, part, pointer, parent) {
  split(line, part, "\t")
  pointer = part[1]
  kind_of[pointer] = part[2]
  first[pointer] = part[3] + 0
  last[pointer] = part[4] + 0
  column_of[pointer] = part[5] + 0
  sub(/^[^\t]*\t[^\t]*\t[^\t]*\t[^\t]*\t[^\t]*\t/, "", line)
  value_of[pointer] = line
  if (pointer != "") {
    parent = pointer
    sub(/\/[^\/]*$/, "", parent)
    children[parent]++
  }
}

function value_at(pointer) {
  return pointer in value_of ? value_of[pointer] : ""
}

function program_name(text) {
  sub(/^.*\//, "", text)
  return text
}

# Checks that every item of a list is of the kind `items`. Returns the number of items.
function check_list(pointer, items, i, item) {
  if (!(pointer in kind_of)) return 0
  if (kind_of[pointer] == "null") refuse("line " first[pointer] ": `" program_name(pointer) "` is empty; remove that line")
  if (kind_of[pointer] == "flow" || kind_of[pointer] == "scalar")
    refuse("line " first[pointer] ": `" program_name(pointer) "` is in flow style or on one line; write it as a list with one line for each item")
  if (kind_of[pointer] != "seq") refuse("line " first[pointer] ": `" program_name(pointer) "` is not a list")
  for (i = 0; i < children[pointer]; i++) {
    item = pointer "/" i
    if (kind_of[item] != items)
      refuse("line " first[item] ": this item of `" program_name(pointer) "` is not supported; write " (items == "map" ? "`key: value` lines" : "plain text on one line, without backslashes"))
  }
  return children[pointer]
}

# Returns the pointer of the container of kube-apiserver.
function api_server(i, j, containers, found, named, running, container) {
  if (value_at("/kind") != "Pod") refuse("this is not the manifest of a static pod: its `kind` is not `Pod`")
  containers = check_list("/spec/containers", "map")
  for (i = 0; i < containers; i++) {
    container = "/spec/containers/" i
    if (value_at(container "/name") == "kube-apiserver") {
      named++
      found = container
    }
  }
  if (!named) {
    for (i = 0; i < containers; i++) {
      container = "/spec/containers/" i
      if (program_name(value_at(container "/command/0")) == "kube-apiserver") {
        running++
        found = container
      }
    }
  }
  if (named + running != 1) refuse("expected one container that is named or runs `kube-apiserver`, found " named + running)
  return found
}
'

# Reads an outline. Prints the lines to add for the variables `kubeconfig` and `folder`, as fields separated by tabs:
#   insert, the number of the line before it, text
#   leaf, a line of the new outline without indices
#   has, a part that the manifest already has
#   point or writable-point, line, mount path, host path, rest: a place where the mount point for the folder must exist
#     (point) or can be created (writable-point)
#   enter, line, mount path, host path, `root` or `below`: each folder of the host that the container enters on the path
#     to the kubeconfig, from the root of a mount down
#   process, user, groups, `all` or `own`: the user and the groups of kube-apiserver, and whose files it may read
# Exits with code 3 and a message if the manifest has a construct that it does not support.
# shellcheck disable=SC2016
addition_program='
# Returns the flag name in an argument, "" if there is none. kube-apiserver accepts _ instead of -.
function flag_name(text) {
  if (text !~ /^--/) return ""
  sub(/=.*$/, "", text)
  gsub(/_/, "-", text)
  return text
}

function check_flags(list, count, i, text) {
  count = check_list(list, "scalar")
  for (i = 0; i < count; i++) {
    text = value_of[list "/" i]
    if (text == "--") refuse("line " first[list "/" i] ": flags after `--` are not supported")
    if (flag_name(text) != FLAG) continue
    flags++
    flag_line = first[list "/" i]
    if (index(text, "=")) {
      sub(/^[^=]*=/, "", text)
      flag_value = text
    } else {
      flag_value = value_at(list "/" (i + 1))
    }
  }
  return count
}

# Returns the pointer of the volume with this name, "" if there is none.
function volume_of(name) {
  return name in volume_named ? volume_named[name] : ""
}

# YAML uses these words for null.
function is_unset(text) {
  return text ~ /^(~|null|Null|NULL)?$/
}

# Expands `hostPath: {path: X, type: Y}` as if it were written as lines. Does not change more complex values.
function read_host_path(pointer, text, count, part, i, key, value, found) {
  text = value_of[pointer]
  if (kind_of[pointer] != "flow" || text !~ /^\{.*\}$/) return
  count = split(substr(text, 2, length(text) - 2), part, ",")
  for (i = 1; i <= count; i++) {
    if (part[i] !~ /^[ \t]*["\047]?(path|type)["\047]?[ \t]*:[ \t]+["\047]?[A-Za-z0-9\/._@+~-]*["\047]?[ \t]*$/) return
    gsub(/[ \t"\047]/, "", part[i])
    key = substr(part[i], 1, 4)
    value = substr(part[i], 6)
    if (key in found) return
    found[key] = value
  }
  kind_of[pointer] = "map"
  for (key in found) {
    kind_of[pointer "/" key] = "scalar"
    value_of[pointer "/" key] = found[key]
    first[pointer "/" key] = first[pointer]
  }
}

# Fills `volume_named`. The kubelet rejects a pod with duplicate volume names.
function read_volumes(i, name) {
  for (i = 0; i < volumes; i++) {
    read_host_path("/spec/volumes/" i "/hostPath")
    name = value_at("/spec/volumes/" i "/name")
    if (name == "") refuse("line " first["/spec/volumes/" i] ": a volume has no `name`; the kubelet does not start such a pod")
    if (name in volume_named) refuse("line " first["/spec/volumes/" i] ": there is a second volume `" name "`; the kubelet does not start such a pod; rename one")
    volume_named[name] = "/spec/volumes/" i
  }
}

# The kubelet rejects a pod if a mount has no volume, or if a container has two mounts at one path.
function check_mounts(list, i, j, mount, name, path, there) {
  for (i = 0; i < children[list]; i++) {
    split("", there)
    for (j = 0; j < children[list "/" i "/volumeMounts"]; j++) {
      mount = list "/" i "/volumeMounts/" j
      if (kind_of[mount] != "map") continue
      name = value_at(mount "/name")
      path = value_at(mount "/mountPath")
      if (volume_of(name) == "") refuse("line " first[mount] ": there is no volume `" name "` for this mount; the kubelet does not start such a pod; remove the mount, or add the volume")
      if (path in there) refuse("line " first[mount] ": a second mount at " path "; the kubelet does not start such a pod; remove one")
      there[path] = 1
    }
  }
}

# Returns the host path of the volume with this name, "" if it is not a hostPath volume.
function host_path(name, volume) {
  volume = volume_of(name)
  if (kind_of[volume "/hostPath"] == "flow")
    refuse("line " first[volume "/hostPath"] ": this `hostPath` in flow style is not supported; write it as lines with indentation")
  return volume == "" ? "" : cleaned(value_at(volume "/hostPath/path"), first[volume])
}

# Returns the host path that a mount makes visible, "" if it is not a host path or is unknown.
function source_of(mount) {
  if ((mount "/subPath") in kind_of || (mount "/subPathExpr") in kind_of) return ""
  return host_path(value_at(mount "/name"))
}

# Returns a path as the kubelet normalizes it: absolute, without double or trailing slashes and without `.` parts.
function cleaned(path, line) {
  if (path == "") return ""
  path = "/" path "/"
  while (gsub(/\/\.\//, "/", path) + gsub(/\/\/+/, "/", path));
  if (path ~ /\/\.\.\//) refuse("line " line ": a path with `..` is not supported; write it without")
  if (path != "/") sub(/\/$/, "", path)
  return path
}

function is_inside(path, above) {
  return above == "/" ? path != "/" : index(path, above "/") == 1
}

# The kubelet checks the type of the host path before it starts a container.
function check_type(name, is_file, volume, type) {
  volume = volume_of(name)
  type = value_at(volume "/hostPath/type")
  if (is_unset(type) || type ~ (is_file ? "^File(OrCreate)?$" : "^Directory(OrCreate)?$")) return
  refuse("line " first[volume] ": the volume `" name "` has the type `" type "`, but " host_path(name) " does not: the kubelet would not start the pod; write `" (is_file ? "File" : "Directory") "`")
}

# Checks the mount in whose volume the runtime must create the mount point for `folder`: the deepest mount above it. A
# read-only volume is read-only as soon as it is mounted, so the mount point must already exist there.
function check_parent(mount, path, line, name, volume, source, rest, is_read_only, type, where) {
  line = first[mount]
  name = value_at(mount "/name")
  volume = volume_of(name)
  where = "line " line ": " folder " is below the mount at " path ", "
  rest = substr(folder, path == "/" ? 2 : length(path) + 2)
  is_read_only = tolower(value_at(mount "/readOnly")) == "true"
  if (!is_unset(value_at(mount "/readOnly")) && tolower(value_at(mount "/readOnly")) !~ /^(true|false)$/)
    refuse("line " first[mount "/readOnly"] ": this value of `readOnly` is not supported; write `true` or `false`")
  if ((mount "/subPathExpr") in kind_of || (mount "/subPath") in kind_of)
    refuse(where "a part of a volume (`subPath`), in which it is unknown whether the mount point can be created; store the webhook kubeconfig in another folder and set --kubeconfig")
  if ((volume "/emptyDir") in kind_of && !is_read_only) return
  source = host_path(name)
  if (source == "")
    refuse(where "which is " (is_read_only ? "read-only" : "not a folder of the host") ": the runtime could not create the mount point there, and kube-apiserver would not start; store the webhook kubeconfig in another folder and set --kubeconfig")
  type = value_at(volume "/hostPath/type")
  if (!is_unset(type) && type !~ /^Directory(OrCreate)?$/)
    refuse(where "which is not a folder; store the webhook kubeconfig in another folder and set --kubeconfig")
  printf "%s\t%d\t%s\t%s\t%s\n", is_read_only ? "point" : "writable-point", line, path, source, rest
}

# Prints the folders of the host that the container enters on the path to the kubeconfig. For a mount, these are the host
# path and the folders below it, down to the next mount.
function print_entered(is_shown, count, part, i, path, base, source, kind) {
  count = split(folder, part, "/")
  for (i = 1; i <= count; i++) {
    if (i > 1) path = path "/" part[i]
    kind = "below"
    if ((path == "" ? "/" : path) in mounted_at) {
      base = path == "" ? "/" : path
      source = mounted_at[base]
      kind = "root"
    } else if (path == folder && !is_shown) {
      base = source = folder
      kind = "root"
    } else if (source != "") source = (source == "/" ? "" : source) "/" part[i]
    if (source != "") printf "enter\t%d\t%s\t%s\t%s\n", line_of_mount[base], base, source, kind
  }
}

# Returns a security setting of the container or, if it has none, of the pod; "" if neither has it. Sets `at`.
function security(key, i, context) {
  for (i = 1; i <= 2; i++) {
    context = (i == 1 ? container : "/spec") "/securityContext"
    # A backslash may hide any name.
    if (kind_of[context] == "flow" && value_of[context] ~ /runAs|capabilities|privileged|fsGroup|supplementalGroups|\\/)
      refuse("line " first[context] ": `securityContext` in flow style is not supported; write it as lines with indentation")
    at = context "/" key
    if (!(at in kind_of) || (kind_of[at] ~ /^(null|scalar)$/ && is_unset(value_of[at]))) continue
    return value_of[at]
  }
  return ""
}

# YAML reads other numbers with a leading 0 as octal.
function is_number(text) {
  return text ~ /^(0|[1-9][0-9]*)$/
}

function number(key, value) {
  value = security(key)
  if (value != "" && !is_number(value)) refuse("line " first[at] ": this value of `" key "` is not supported; write a number")
  return value
}

# Returns the names of the capabilities in a list of the container, in capitals. In flow style, the relevant capabilities
# count as dropped if they appear anywhere.
function capabilities(list, i, pointer, text) {
  pointer = container "/securityContext/capabilities"
  if (kind_of[pointer] == "flow") return list == "drop" && toupper(value_of[pointer]) ~ /ALL|DAC_|\\/ ? "ALL" : ""
  pointer = pointer "/" list
  text = value_at(pointer)
  for (i = 0; i < children[pointer]; i++) text = text " " value_at(pointer "/" i)
  return toupper(text)
}

# Prints the user and groups of kube-apiserver, and whether it may read files of other users. Root may, unless the
# capability has been dropped. The images of kube-apiserver run as root unless the manifest sets another user.
function print_process(user, groups, i, pointer, count, dropped, added) {
  # YAML has other words for true and false.
  if (!is_unset(value_at("/spec/hostUsers")) && tolower(value_at("/spec/hostUsers")) != "true")
    refuse("line " first["/spec/hostUsers"] ": without `hostUsers: true`, the user IDs of kube-apiserver differ from those of the host, and it is unknown whether it can read the kubeconfig; remove this line")
  user = number("runAsUser")
  if (tolower(security("runAsNonRoot")) !~ /^(false)?$/) {
    if (user == "")
      refuse("line " first[at] ": `runAsNonRoot` without a `runAsUser`: the user of the image is unknown, and so is whether that user can read the kubeconfig; set `runAsUser` to the owner of " kubeconfig)
    if (user + 0 == 0)
      refuse("line " first[at] ": `runAsNonRoot` with `runAsUser: 0`: the kubelet does not start the container; set `runAsUser` to the owner of " kubeconfig)
  }
  if (user == "") user = 0
  groups = number("runAsGroup")
  if (groups == "") groups = 0
  pointer = "/spec/securityContext/fsGroup"
  if (is_number(value_at(pointer))) groups = groups "," value_at(pointer)
  pointer = "/spec/securityContext/supplementalGroups"
  count = children[pointer]
  for (i = 0; i < count; i++) if (is_number(value_at(pointer "/" i))) groups = groups "," value_at(pointer "/" i)
  dropped = capabilities("drop") ~ /(^|[^A-Z_])(ALL|(CAP_)?DAC_OVERRIDE)([^A-Z_]|$)/
  added = capabilities("add") ~ /(^|[^A-Z_])(ALL|(CAP_)?DAC_OVERRIDE|(CAP_)?DAC_READ_SEARCH)([^A-Z_]|$)/
  if (tolower(value_at(container "/securityContext/privileged")) == "true") dropped = 0
  printf "process\t%d\t%s\t%s\n", user, groups, dropped && !added ? "own" : "all"
}

function insert(line, column, text) {
  printf "insert\t%d\t%s%s\n", line, substr(BLANKS, 1, column), text
}

function leaf(pointer, value) {
  gsub(/\/[0-9]+/, "/#", pointer)
  printf "leaf\t%s\tscalar\t%s\n", pointer, value
}

# Sets `after` and `column` to the place of a new item at the end of a list. Adds the key of the list if it is missing.
function open_list(pointer, items, parent) {
  if (items) {
    after = last[pointer]
    column = column_of[pointer]
    return
  }
  parent = pointer
  sub(/\/[^\/]*$/, "", parent)
  column = column_of[parent]
  after = last[parent]
  insert(after, column, program_name(pointer) ":")
}

BEGIN {
  FS = "\t"
  FLAG = "--authentication-token-webhook-config-file"
  NAME = "ack-ram-authenticator"
  BLANKS = "                                                                                                    "
}

{ read_outline($0) }

END {
  if (failed) exit 3
  container = api_server()
  if ((container "/command/0") in kind_of && program_name(value_at(container "/command/0")) != "kube-apiserver")
    refuse("line " first[container "/command/0"] ": `command` starts a program other than kube-apiserver; add the flag where that program sets the flags of kube-apiserver")
  commands = check_flags(container "/command")
  arguments = check_flags(container "/args")
  mounts = check_list(container "/volumeMounts", "map")
  volumes = check_list("/spec/volumes", "map")
  read_volumes()
  check_mounts("/spec/containers")
  check_mounts("/spec/initContainers")
  if (!commands && !arguments) refuse("the container of kube-apiserver has neither `command` nor `args`")
  if (flags > 1) refuse("line " flag_line ": duplicate flag " FLAG "; keep one")
  if (flags && flag_value != kubeconfig)
    refuse("line " flag_line ": " FLAG " has another value: `" flag_value "`.\nkube-apiserver supports only one webhook. To replace that webhook, remove the line and the mount of its kubeconfig, and run this script again.\nIf the file is the kubeconfig of ack-ram-authenticator, run this script with --kubeconfig " flag_value)

  # The mount that makes the kubeconfig visible, if there is one, is the deepest one above it.
  covering = ""
  covering_mount = ""
  for (i = 0; i < mounts; i++) {
    mount = container "/volumeMounts/" i
    path = cleaned(value_at(mount "/mountPath"), first[mount])
    if (path == "") continue
    if (is_inside(path, folder) && path != kubeconfig)
      refuse("line " first[mount] ": there is already a mount inside " folder "; store the webhook kubeconfig in a folder of its own and set --kubeconfig")
    if (path != kubeconfig && !is_inside(kubeconfig, path)) continue
    if (path in mounted_at)
      refuse("line " first[mount] ": a second mount at " path "; the kubelet rejects such a pod, or one mount hides the other; remove one")
    mounted_at[path] = source_of(mount)
    line_of_mount[path] = first[mount]
    if (length(path) <= length(covering)) continue
    covering = path
    covering_mount = mount
  }
  visible = covering_mount != "" && mounted_at[covering] == covering
  if (!visible && (covering == folder || covering == kubeconfig))
    refuse("line " first[covering_mount] ": the mount at " covering " is not the folder of the host; remove the mount, or choose another folder with --kubeconfig")
  if (visible) check_type(value_at(covering_mount "/name"), covering == kubeconfig)
  else if (covering_mount != "") check_parent(covering_mount, covering)
  print_entered(visible)
  print_process()

  list = arguments ? container "/args" : container "/command"
  if (flags) print "has\tthe flag"
  else {
    insert(last[list], column_of[list], "- " FLAG "=" kubeconfig)
    leaf(list "/0", FLAG "=" kubeconfig)
  }
  if (visible) {
    print "has\ta mount that shows the kubeconfig: " covering
    exit
  }
  list = container "/volumeMounts"
  open_list(list, mounts)
  insert(after, column, "- mountPath: " folder)
  insert(after, column, "  name: " NAME)
  insert(after, column, "  readOnly: true")
  leaf(list "/0/mountPath", folder)
  leaf(list "/0/name", NAME)
  leaf(list "/0/readOnly", "true")

  list = "/spec/volumes"
  for (i = 0; i < volumes; i++) {
    if (value_at(list "/" i "/name") != NAME) continue
    if (host_path(NAME) != folder)
      refuse("line " first[list "/" i] ": there is already a volume `" NAME "` that is not " folder "; rename it")
    check_type(NAME, 0)
    print "has\tthe volume"
    exit
  }
  open_list(list, volumes)
  insert(after, column, "- hostPath:")
  insert(after, column, "    path: " folder)
  insert(after, column, "    type: DirectoryOrCreate")
  insert(after, column, "  name: " NAME)
  leaf(list "/0/hostPath/path", folder)
  leaf(list "/0/hostPath/type", "DirectoryOrCreate")
  leaf(list "/0/name", NAME)
}
'

# Reads an addition (the first file) and the outline of a manifest (the second). Prints the lines of the manifest that
# belong to the addition: `delete`, first line, last line. Exits with code 4 if the manifest has no part of the addition,
# and with code 3 if a part is missing or has been edited.
# shellcheck disable=SC2016
removal_program='
function forget(pointer) {
  printf "delete\t%d\t%d\n", first[pointer], last[pointer]
  found++
}

# Deletes the item that has exactly the wanted leaves. Also deletes the key of the list, if this script added the key and
# the list has no other item.
function forget_item(list, marker, leaves, i, item, pointer, have, wrong) {
  for (i = 0; i < children[list]; i++) {
    item = list "/" i
    if (value_at(item marker) != wanted_at(general(list) "/#" marker)) continue
    have = wrong = 0
    for (pointer in kind_of) {
      if (index(pointer, item "/") != 1 || kind_of[pointer] == "map") continue
      have++
      if (value_of[pointer] != wanted_at(general(list) "/#" substr(pointer, length(item) + 1))) wrong++
    }
    if (wrong || have != leaves) continue
    forget(made[program_name(list) ":"] && children[list] == 1 ? list : item)
    return
  }
}

function general(pointer) {
  gsub(/\/[0-9]+/, "/#", pointer)
  return pointer
}

function wanted_at(pointer) {
  return pointer in wanted ? wanted[pointer] : ""
}

BEGIN { FS = "\t" }

NR == FNR {
  if ($1 == "leaf") wanted[$2] = $4
  if ($1 == "insert") {
    text = $3
    sub(/^ +/, "", text)
    made[text] = 1
  }
  next
}

{ read_outline($0) }

END {
  if (failed) exit 3
  container = api_server()
  for (pointer in wanted) {
    if (pointer ~ /\/(command|args)\/#$/) {
      expected++
      list = container substr(pointer, length("/spec/containers/#") + 1)
      sub(/\/#$/, "", list)
      for (i = 0; i < children[list]; i++)
        if (value_of[list "/" i] == wanted[pointer]) {
          forget(list "/" i)
          break
        }
    }
    if (pointer ~ /\/mountPath$/) {
      expected++
      forget_item(container "/volumeMounts", "/mountPath", 3)
    }
    if (pointer ~ /^\/spec\/volumes\/.*\/path$/) {
      expected++
      forget_item("/spec/volumes", "/hostPath/path", 3)
    }
  }
  if (!found) exit 4
  if (found != expected) refuse("a part of the addition is missing or has been edited")
}
'

outline() {
  awk "$outline_program" "$1"
}

# Prints the leaves of an outline without indices and line numbers. A change must keep them.
leaves() {
  awk 'BEGIN { FS = "\t" } $2 != "map" && $2 != "seq" && $2 != "null" {
    pointer = $1
    gsub(/\/[0-9]+/, "/#", pointer)
    kind = $2
    sub(/^[^\t]*\t[^\t]*\t[^\t]*\t[^\t]*\t[^\t]*\t/, "")
    printf "%s\t%s\t%s\n", pointer, kind, $0
  }' "$1"
}

# Prints a manifest with the `insert` and `delete` lines of a plan applied. All other bytes stay the same.
edit() { # manifest, plan
  awk '
    BEGIN { FS = "\t" }
    NR == FNR {
      if ($1 == "insert") inserted[$2, ++inserts[$2]] = $3
      if ($1 == "delete") for (i = $2; i <= $3; i++) deleted[i] = 1
      next
    }
    {
      ending = $0 ~ /\r$/ ? "\r" : ""
      if (!(FNR in deleted)) {
        printf "%s%s", started ? "\n" : "", $0
        started = 1
      }
      for (i = 1; i <= inserts[FNR]; i++) printf "\n%s%s", inserted[FNR, i], ending
    }
  ' "$2" "$1"
  if ends_with_newline "$1"; then echo; fi
}

ends_with_newline() {
  [[ -z $(tail -c 1 "$1") ]]
}

# ---- Checking with a YAML parser --------------------------------------------------------------------------------------

# Finds a YAML parser. Neither kubectl nor Python needs an API server for this.
find_parser() {
  : >"$work/note"
  if command -v kubectl >/dev/null && check_trusted "$(command -v kubectl)" 2>>"$work/note"; then
    parser=kubectl
  elif command -v python3 >/dev/null && check_trusted "$(command -v python3)" 2>>"$work/note" &&
    find_modules 2>>"$work/note" && python -c "$import_yaml" "${modules[@]}" 2>/dev/null; then
    parser="Python's yaml module"
  else
    parser=none
    [[ ! -s $work/note ]] || say "note: not used: $(<"$work/note")" >&2
    say "note: neither kubectl nor Python's yaml module is available; only this script's own parser checks the YAML" >&2
  fi
}

# -I ignores Python's environment variables, and modules of the user and of the current folder. -S ignores *.pth files.
python() {
  python3 -I -S "$@"
}

import_yaml='
import sys
sys.path += sys.argv[1:]
import yaml'

# Finds the folders of installed modules that no other user may write. Fails if another user may write a folder of Python
# itself.
find_modules() {
  local folder program
  program=$(readlink -f -- "$(command -v python3)")
  for folder in "${program%/bin/*}"/lib*/python3*; do
    [[ ! -d $folder ]] || check_trusted "$folder" || return 1
  done
  while IFS= read -r folder; do
    [[ ! -e $folder ]] || check_trusted "$folder" || return 1
  done < <(python -c 'import sys; print("\n".join(sys.path))')
  modules=()
  while IFS= read -r folder; do
    if [[ -d $folder/yaml ]] && check_modules "$folder"; then modules+=("$folder"); fi
  done < <(python -c 'import site; print("\n".join(site.getsitepackages()))')
}

check_modules() { # folder
  local path
  check_trusted "$1" || return 1
  for path in "$1"/yaml "$1"/yaml/* "$1"/_yaml "$1"/_yaml/*; do
    [[ ! -e $path ]] || check_writers "$path" '' || return 1
  done
}

# Prints a document in a normal form, one line for each value.
normal() {
  case $parser in
    # kubectl reads preferences from HOME, which may change the options of its commands.
    kubectl) HOME=$work KUBECONFIG=/dev/null kubectl label --local --filename "$1" ack-ram-authenticator=check --output yaml ;;
    none) ;;
    *) python -c "$import_yaml"'
try:
    with open(0, "rb") as file:
        yaml.safe_dump(yaml.safe_load(file), sys.stdout, default_flow_style=False, width=10**9)
except yaml.YAMLError as error:
    sys.exit(str(error))' "${modules[@]}" <"$1" ;;
  esac
}

# Succeeds if the bigger file is the smaller one plus exactly these lines, in any order and with any indentation.
only_adds() { # smaller, bigger, lines
  local added
  if diff "$1" "$2" >"$work/difference"; then :; elif (($? > 1)); then return 1; fi
  if grep -q '^<' "$work/difference"; then return 1; fi
  added=$(sed -n 's/^> *//p' "$work/difference" | sort)
  [[ $added == "$(sed 's/^ *//' "$3" | sort)" ]]
}

# Succeeds if the two manifests differ only by this addition.
check_difference() { # smaller, bigger, addition
  outline "$1" >"$work/outline.smaller" && outline "$2" >"$work/outline.bigger" || return 1
  leaves "$work/outline.smaller" >"$work/leaves.smaller"
  leaves "$work/outline.bigger" >"$work/leaves.bigger"
  sed -n 's/^leaf\t//p' "$3" >"$work/expected"
  only_adds "$work/leaves.smaller" "$work/leaves.bigger" "$work/expected" || return 1
  [[ $parser == none ]] && return
  normal "$1" >"$work/normal.smaller" && normal "$2" >"$work/normal.bigger" || return 1
  sed -n 's/^insert\t[0-9]*\t//p' "$3" >"$work/expected"
  only_adds "$work/normal.smaller" "$work/normal.bigger" "$work/expected"
}

# ---- Other users ------------------------------------------------------------------------------------------------------

# Succeeds if only root, the user of this script and the owners in `$2` may write a file or folder. Otherwise prints the
# reason and a command that corrects it. With `sticky`, other users may create files in a sticky folder, such as /tmp.
check_writers() { # path, owners, sticky
  local path=$1 owners=" 0 $EUID $2 " sticky=${3-} owner mode
  read -r owner mode < <(stat -L -c '%u %a' -- "$path") || return 1
  if [[ $owners != *" $owner "* ]]; then
    printf '%s is owned by uid %s, who may change it; if its contents are right, run: chown 0 %q\n' "$path" "$owner" "$path" >&2
    return 1
  fi
  if ((8#$mode & 8#022)) && ! { [[ $sticky == sticky ]] && ((8#$mode & 8#1000)); }; then
    printf '%s has mode %s, so other users may change it; run: chmod go-w %q\n' "$path" "$mode" "$path" >&2
    return 1
  fi
}

# Checks all folders above a path, and above the target of a link. A user who may write one of them could replace the file.
check_folders_above() { # path, owners
  local folder
  for folder in "$(dirname -- "$1")" "$(dirname -- "$(readlink -m -- "$1")")"; do
    while [[ $folder != / ]]; do
      [[ ! -e $folder ]] || check_writers "$folder" "$2" sticky || return 1
      folder=$(dirname -- "$folder")
    done
  done
}

# Succeeds if only root, the user of this script and the owners in `$2` may write or replace a file or folder.
check_trusted() { # path, owners
  check_writers "$1" "${2-}" && check_folders_above "$1" "${2-}"
}

# ---- Main program -----------------------------------------------------------------------------------------------------

work=
new_manifest=
# shellcheck disable=SC2317 # called by the trap
clean_up() {
  [[ -z $work ]] || rm -rf -- "$work"
  [[ -z $new_manifest ]] || rm -f -- "$new_manifest"
}
trap clean_up EXIT
work=$(mktemp -d /tmp/ack-ram-authenticator.XXXXXXXXXX)
check_folders_above "$work" '' || fail "the temporary files of this script are not safe there; nothing has been changed"

[[ -f $manifest ]] || fail "there is no file $manifest; set the path of the static pod with --manifest"
[[ ! -L $manifest ]] || fail "$manifest is a link; use the path of the file: --manifest $(readlink -f -- "$manifest")"
[[ -r $manifest ]] || fail "$manifest cannot be read; run this as root"
manifests=$(readlink -f -- "$(dirname -- "$manifest")")
name=$(basename -- "$manifest")
# The owner of the folder of static pods can start pods as root anyway. With Kubespray, the user `kube` owns this folder
# and the folder above it.
manifests_owner=$(stat -L -c %u -- "$manifests")
if ! { check_trusted "$manifests" "$manifests_owner" && check_trusted "$manifest" "$manifests_owner"; } 2>"$work/refusal"; then
  danger="a user who can write the folder of static pods can start pods as root"
  $undo || fail "$(<"$work/refusal")" "$danger; nothing has been changed"
  # Continue, because kube-apiserver may be down.
  printf 'warning: %s\n' "$(<"$work/refusal")" "$danger; \`--undo\` continues" >&2
fi
case $(readlink -m -- "$backup_dir")/ in
  "$manifests"/*)
    fail "--backup-dir is inside $manifests, where the kubelet would start each copy as a pod; choose another folder"
    ;;
esac

# All checks use this copy. The manifest is replaced only if it still equals the copy.
current=$work/current.yaml
cat -- "$manifest" >"$current"
target=$work/target.yaml

outline_of_current() {
  outline "$current" >"$work/outline" 2>"$work/refusal" ||
    fail "$manifest, $(<"$work/refusal")" "nothing has been changed; add the flag and the mount by hand (see CONFIGURATION.md)"
  find_parser
  normal "$current" >/dev/null 2>"$work/refusal" ||
    fail "$parser cannot read $manifest: $(<"$work/refusal")" "nothing has been changed"
}

plan_addition() { # manifest's outline, addition
  awk -v kubeconfig="$kubeconfig" -v folder="$folder" "$pod_functions$addition_program" "$1" >"$2" 2>"$work/refusal" ||
    fail "$manifest: $(<"$work/refusal")" "nothing has been changed"
}

show_difference() {
  diff -u --label "$manifest" --label "$manifest (new)" "$current" "$target" || (($? == 1))
}

# Replaces the manifest by the target in one step.
replace() {
  # The kubelet ignores names that start with a dot.
  new_manifest=$(mktemp -- "$manifests/.$name.XXXXXX")
  cp --preserve=all -- "$manifest" "$new_manifest"
  cat -- "$target" >"$new_manifest"
  sync -- "$new_manifest"
  cmp -s -- "$manifest" "$current" || fail "$manifest was changed while this script was running; run this script again"
  mv -f -- "$new_manifest" "$manifest"
  new_manifest=
}

# Keeps a copy of `$2` in the backup folder as `<manifest>.<time>.$1`.
keep() {
  cp --preserve=mode,ownership -- "$manifest" "$record.$1"
  cat -- "$2" >"$record.$1"
  sync -- "$record.$1"
}

# --undo restores the manifest from this folder.
check_backup_dir() {
  { [[ ! -e $backup_dir ]] || check_writers "$backup_dir" "$manifests_owner"; } 2>"$work/refusal" &&
    check_folders_above "$backup_dir" "$manifests_owner" 2>"$work/refusal" ||
    fail "$(<"$work/refusal")" \
      "\`--undo\` restores files from this folder: make it writable by root only, or choose another --backup-dir"
}

open_record() {
  mkdir -p -- "$backup_dir" || fail "cannot create $backup_dir; run this script as root, or choose another --backup-dir"
  check_backup_dir
  record=$(readlink -f -- "$backup_dir")/$name.$(date -u +%Y%m%dT%H%M%S.%NZ)
}

# This file says where kube-apiserver sends every token. The webhook writes the file, possibly with a user of its own.
check_kubeconfig() {
  local owners
  [[ ! -L $kubeconfig ]] || fail \
    "$kubeconfig is a link, and only its folder is mounted into kube-apiserver; use the path of the file with --kubeconfig" \
    "the file: $(readlink -f -- "$kubeconfig")"
  owners="$(stat -L -c %u -- "$folder") $manifests_owner"
  { check_writers "$kubeconfig" "$owners" && check_trusted "$folder" "$owners"; } 2>"$work/refusal" ||
    fail "$(<"$work/refusal")" "the kubeconfig says where kube-apiserver sends every token; nothing has been changed"
}

# Checks with the files of this node whether the runtime can create the mount point, and whether the process can reach and
# read the kubeconfig.
check_pod() {
  local kind line path base rest user groups all
  while IFS=$'\t' read -r kind line path base rest; do
    case $kind in
      point) check_mount_point "$line" "$path" "$base" "$rest" ;;
      writable-point) check_mount_path "$line" "$path" "$base" "$rest" ;;
    esac
  done < <(grep -E $'^(writable-)?point\t' "$work/addition")
  IFS=$'\t' read -r kind user groups all < <(grep $'^process\t' "$work/addition")
  while IFS=$'\t' read -r kind line path base rest; do
    [[ $rest == root || ! -L $base ]] || fail \
      "$manifest: line $line: $path is a mount of the host, in which $base is a link" \
      "the target of the link may not exist in the container, and kube-apiserver would not start" \
      "use the path without links: --kubeconfig $(readlink -f -- "$kubeconfig"); nothing has been changed"
    # The runtime creates missing folders with access for all users.
    [[ ! -e $base ]] || check_access "$user" "$groups" "$all" "$base" 1
  done < <(grep $'^enter\t' "$work/addition")
  check_access "$user" "$groups" "$all" "$kubeconfig" 4
}

# The runtime cannot create a folder below a read-only mount: the mount point must exist, without links.
check_mount_point() { # line, mount path, host path, rest
  local at=$3 part
  while IFS= read -r -d / part; do
    at=$at/$part
    [[ -d $at && ! -L $at ]] || fail \
      "$manifest: line $1: $2 is a read-only mount of $3, in which there is no folder $4" \
      "the runtime could not create the mount point $folder there, and kube-apiserver would not start" \
      "run: mkdir -p $3/$4; or store the webhook kubeconfig in another folder and set --kubeconfig; nothing has been changed"
  done <<<"$4/"
}

# In other mounts, the runtime creates missing folders, unless a file is in the way.
check_mount_path() { # line, mount path, host path, rest
  local at=$3 part
  while IFS= read -r -d / part; do
    at=$at/$part
    [[ ! -L $at && (-d $at || ! -e $at) ]] || fail \
      "$manifest: line $1: $2 is a mount of $3, in which $4 is not a folder" \
      "the runtime could not create the mount point $folder there, and kube-apiserver would not start" \
      "store the webhook kubeconfig in another folder and set --kubeconfig; nothing has been changed"
  done <<<"$4/"
}

# Succeeds if a process with this user and these groups can enter a folder (1) or read a file (4).
check_access() { # user, groups, `all` if root may read files of other users, path, permission
  local user=$1 groups=$2 all=$3 path=$4 bits=$5 owner group mode granted what remedy
  [[ $user != 0 || $all != all ]] || return 0
  read -r owner group mode < <(stat -L -c '%u %g %a' -- "$path")
  if [[ $user == "$owner" ]]; then
    granted=$(((8#$mode >> 6) & bits))
  elif [[ ,$groups, == *",$group,"* ]]; then
    granted=$(((8#$mode >> 3) & bits))
  else
    granted=$((8#$mode & bits))
  fi
  ((granted == bits)) && return
  if ((bits == 1)); then
    what=enter remedy="allow the user to enter the folder: chmod a+x $path"
  else
    what=read remedy="give the kubeconfig to the user: chown $user $path"
  fi
  fail \
    "$manifest: kube-apiserver runs as uid $user, groups ${groups//,/ }, who cannot $what $path (uid $owner, gid $group, mode $mode)" \
    "kube-apiserver would not start; $remedy; or set \`runAsUser: $owner\` in its securityContext" \
    "nothing has been changed"
}

add() {
  [[ (! -d $folder || -x $folder) && (! -e $kubeconfig || -r $kubeconfig) ]] ||
    fail "$kubeconfig cannot be read; run this as root"
  [[ -s $kubeconfig && -f $kubeconfig ]] || fail \
    "there is no webhook kubeconfig $kubeconfig, and kube-apiserver does not start without it" \
    "start ack-ram-authenticator on this node first, or create the file with 'ack-ram-authenticator init'"
  grep -Eq '^[[:space:]{]*"?kind"?:[[:space:]]*"?Config"?' -- "$kubeconfig" || fail \
    "$kubeconfig is not a kubeconfig, and kube-apiserver does not start with it" \
    "create the file again: start ack-ram-authenticator on this node, or run 'ack-ram-authenticator init'"
  check_kubeconfig
  outline_of_current
  plan_addition "$work/outline" "$work/addition"
  check_pod
  sed -n 's/^has\t/already there: /p' "$work/addition"
  if ! grep -q '^insert' "$work/addition"; then
    say "$manifest is already configured; nothing has been changed"
    return
  fi
  edit "$current" "$work/addition" >"$target"
  check_difference "$current" "$target" "$work/addition" 2>"$work/refusal" ||
    fail "the result of the edit differs from the planned change $(<"$work/refusal")" \
      "nothing has been changed; add the flag and the mount by hand (see CONFIGURATION.md)"
  check_backup_dir
  if $dry_run; then
    show_difference
    return
  fi
  open_record
  keep before "$current"
  keep addition "$work/addition"
  keep after "$target"
  replace
  say "$manifest has been changed; the previous version: $record.before" \
    "The kubelet now restarts kube-apiserver. Check it with: kubectl get --raw /readyz" \
    "If it does not start again, run: $0 --undo$(options_again)"
}

# Prints the options of this run that --undo also needs.
options_again() {
  [[ $manifest == /etc/kubernetes/manifests/kube-apiserver.yaml ]] || printf ' --manifest %q' "$manifest"
  [[ $backup_dir == /var/lib/ack-ram-authenticator/backups ]] || printf ' --backup-dir %q' "$backup_dir"
}

take_back() {
  local before file newest='' restored=''
  check_backup_dir
  for before in "$backup_dir/$name".*.before; do
    [[ -f $before && -f ${before%.before}.after ]] || continue
    for file in "${before%.before}".{before,after,addition}; do
      [[ ! -L $file ]] && check_writers "$file" "$manifests_owner" 2>"$work/refusal" ||
        fail "$file is a link, or another user may have written it: $(<"$work/refusal")" "nothing has been changed"
    done
    newest=$before
    if cmp -s -- "${before%.before}.after" "$current"; then restored=$before; fi
  done
  [[ -n $newest ]] || fail "$backup_dir has no record of a change of $name; if you used another --backup-dir, set it again"
  if [[ -n $restored ]]; then
    cat -- "$restored" >"$target"
  else
    remove_what_was_added "$newest" || return 0
  fi
  if $dry_run; then
    show_difference
    return
  fi
  open_record
  keep undone "$current"
  replace
  if [[ -n $restored ]]; then
    say "$manifest has been restored byte for byte; a copy of the version with the change: $record.undone"
  else
    say "$manifest was edited after the change, so only the addition has been removed; a copy of the edited version: $record.undone"
  fi
}

# Builds the target from the current manifest and the record of a change. Fails if the manifest has no part of the change.
remove_what_was_added() {
  local before=$1 addition=${1%.before}.addition code=0
  outline_of_current
  awk "$pod_functions$removal_program" "$addition" "$work/outline" >"$work/removal" 2>"$work/refusal" || code=$?
  if ((code == 4)); then
    say "$manifest has no part of the latest change; nothing has been changed"
    return 1
  fi
  ((code == 0)) || fail "$manifest: $(<"$work/refusal")" \
    "nothing has been changed; remove the rest by hand. The manifest before the change: $before"
  edit "$current" "$work/removal" >"$target"
  check_difference "$target" "$current" "$addition" 2>"$work/refusal" ||
    fail "removing the addition would also change other parts $(<"$work/refusal")" \
      "nothing has been changed; the manifest before the change: $before"
}

if $undo; then take_back; else add; fi
