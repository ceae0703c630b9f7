#!/bin/bash -p
#
# Makes a kube-apiserver that runs as a static pod ask ack-ram-authenticator about bearer tokens; see --help.
#
# The manifest is read by its structure, not by patterns. What this script does not understand for certain, it refuses
# and leaves as it is: an API server that does not come back locks everybody out.
#
# It runs as root, so it takes nothing from its surroundings but its arguments: no variable of the environment, no
# program outside the folders below, no file or module of the current folder, and no file that another user may write.

# Starts again with an empty environment. Without -p, Bash imports functions from it, which may have the name of any
# command; in POSIX mode none of them is taken for `exec`.
if [[ $- != *p* ]] || read -r -N 1 _ </proc/$$/environ; then
  POSIXLY_CORRECT=1
  # From a pipe, the rest of the script is still to come.
  [[ -n ${BASH_SOURCE[0]-} ]] || exec /usr/bin/env -i /bin/bash -p -s -- "$@"
  exec /usr/bin/env -i /bin/bash -p -- "${BASH_SOURCE[0]}" "$@"
fi

PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin
set -euo pipefail
export LC_ALL=C PATH
umask 077

usage() {
  cat <<'END'
Make kube-apiserver ask ack-ram-authenticator about bearer tokens

Usage: example-configure-api-server.sh [options]

Run it as root on each control-plane node, when the webhook kubeconfig is there. To the static pod's manifest it adds
the flag --authentication-token-webhook-config-file and a read-only mount of the folder that holds the kubeconfig. What
is there already is not added again. The kubelet then starts kube-apiserver anew by itself.

Options:
  --manifest FILE    the static pod [/etc/kubernetes/manifests/kube-apiserver.yaml]
  --kubeconfig FILE  the webhook kubeconfig [/etc/kubernetes/ack-ram-authenticator/kubeconfig.yaml]
  --backup-dir DIR   where the manifest is kept as it was, and as it became; outside the folder of the manifest, where
                     the kubelet would start it, too [/var/lib/ack-ram-authenticator/backups]
  --dry-run          show what would change, and change nothing
  --undo             take back the latest change: put the manifest back as it was, to the byte; if it has been edited
                     since, remove only what was added
  -h, --help         this text

Programs are taken from /usr/sbin, /usr/bin, /sbin, /bin, /usr/local/sbin and /usr/local/bin only, and nothing from the
environment. The manifest, the backups and the kubeconfig must be in folders that no other user may write; the owner of
the manifest's folder may, who can start pods as root anyway. --undo only warns about the folders of the manifest.

The manifest is checked before and after with this script's own reading of it, and with kubectl or, failing that,
Python's yaml module. It is replaced at once, never half. Owner and mode stay.

Exit codes:
  0  done, or there was nothing to do
  1  refused or failed; the manifest is as it was
  2  wrong usage
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

# ---- The command line -------------------------------------------------------------------------------------------------

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

# The path is written into the manifest as it is.
plain_path='^(/[A-Za-z0-9._+@-]+)+$'
[[ $kubeconfig =~ $plain_path && $kubeconfig/ != */./* && $kubeconfig/ != */../* ]] ||
  wrong_usage "--kubeconfig must be an absolute path of letters, digits and . _ + @ - without '..': $kubeconfig"
folder=${kubeconfig%/*}
[[ -n $folder ]] || wrong_usage "--kubeconfig must be in a folder of its own, which kube-apiserver gets to see"
# The mount hides what the image and the runtime have there, such as the program itself, or cannot be made at all.
case $folder in
  /dev | /dev/* | /proc | /proc/* | /sys | /sys/* | /bin | /sbin | /lib | /lib64 | /boot | /etc | /run | /tmp | /var | \
    /var/run | /usr | /usr/bin | /usr/sbin | /usr/lib | /usr/lib64 | /usr/local | /usr/local/bin | /usr/local/sbin)
    wrong_usage "--kubeconfig must be in a folder of its own; $folder of the container would be hidden: $kubeconfig"
    ;;
esac

# A relative path counts from the caller's folder, which this script then leaves: programs look for files where they run.
here=$(pwd -P)
[[ $manifest == /* ]] || manifest=$here/$manifest
[[ $backup_dir == /* ]] || backup_dir=$here/$backup_dir
cd /

for tool in awk basename cat cmp cp date diff dirname grep mkdir mktemp mv readlink rm sed sort stat sync tail; do
  command -v "$tool" >/dev/null || fail "this script needs the program '$tool', which is not installed"
done

# ---- Reading a manifest -----------------------------------------------------------------------------------------------

# Prints one line for each node of a YAML document in block style, in its order, with tabs between:
#   pointer (as in JSON Pointer), kind, first line, last line, column of its children, value
# Kinds: map, seq, null, scalar, escaped (a scalar with escapes left in), flow (kept as text), block.
# Refuses what it is not sure of: exit code 3 and a message.
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
  if (pointer in kind_of) refuse("this key is there a second time: " pointer)
  order[++count] = pointer
  parent_of[pointer] = parent
  kind_of[pointer] = kind
  first[pointer] = NR
  column_of[pointer] = column
  value_of[pointer] = value
  reach(pointer)
}

# A node and all around it last until this line.
function reach(pointer) {
  for (;;) {
    last[pointer] = NR
    if (pointer == "") return
    pointer = parent_of[pointer]
  }
}

# Goes to the map (or, for a dash, the sequence) of this column; opens it where one is due.
function enter(column, dash, type) {
  while (depth > 0 && (column_at[depth] > column || (column_at[depth] == column && type_at[depth] == "seq" && !dash)))
    depth--
  if (depth > 0 && column_at[depth] == column && (type_at[depth] == "seq") == dash) return
  if (depth > 0 && column_at[depth] == column && !due[depth]) refuse("a list item where a key was expected")
  if (!due[depth])
    refuse("its indentation fits nothing above it, or it goes on with a value of a line above; write that value on one line")
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

# Where the quoted text at the start ends: the index of the closing quote.
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

# Reads the value that begins here: sets `kind` and `value`.
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
    if (text !~ /^[|>][-0-9]*[ \t]*$/ && text !~ /^[|>][-0-9]*[ \t]+#/) refuse("this kind of block text is not understood")
    kind = "block"
  } else if (text ~ /^[&*!]/) {
    refuse("anchors, aliases and tags (&, *, !) are not understood; write the value itself")
  } else if (text ~ /^[%@`,}\]]/ || text ~ /^[?:-]([ \t]|$)/) {
    refuse("this is not YAML that is understood")
  } else {
    sub(/[ \t]+#.*$/, "", text)
    sub(/[ \t]+$/, "", text)
    if (text ~ /:$/ || text ~ /:[ \t]/) refuse("a second key in one line")
    kind = "scalar"
    value = text
  }
}

# Splits `key: rest`: sets `key` and `rest`. Tells whether it is that.
function read_key(text, end, plain) {
  if (text ~ /^["\047]/) {
    end = closing(text)
    rest = substr(text, end + 1)
    if (rest !~ /^[ ]*:([ \t]|$)/) return 0
    sub(/^[ ]*:/, "", rest)
    unquote(substr(text, 1, end))
    if (kind == "escaped") refuse("a key with a backslash is not understood")
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
  if (key == "<<") refuse("merge keys (<<) are not understood; write the values themselves")
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
    if (count > 1 || started++ || !is_nothing(substr($0, 4))) refuse("more than one document, where one static pod is expected")
    next
  }
  if ($0 ~ /^\.\.\.([ \t]|$)/ || $0 ~ /^%/) refuse("document ends and directives are not understood")

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
  if (text ~ /^\?([ \t]|$)/) refuse("keys written with ? are not understood")
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
    refuse("neither a key nor a list item; if a value goes over several lines, write it on one line")
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

# What both programs below need: the outline in arrays, and the container of kube-apiserver.
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

# A list that can be understood: every item a scalar, or every item a map.
function check_list(pointer, items, i, item) {
  if (!(pointer in kind_of)) return 0
  if (kind_of[pointer] == "null") refuse("line " first[pointer] ": `" program_name(pointer) "` is empty; remove that line")
  if (kind_of[pointer] == "flow" || kind_of[pointer] == "scalar")
    refuse("line " first[pointer] ": `" program_name(pointer) "` is written in flow style or on one line; write it as a list with a line for each item")
  if (kind_of[pointer] != "seq") refuse("line " first[pointer] ": `" program_name(pointer) "` is not a list")
  for (i = 0; i < children[pointer]; i++) {
    item = pointer "/" i
    if (kind_of[item] != items)
      refuse("line " first[item] ": this item of `" program_name(pointer) "` is not understood; write " (items == "map" ? "`key: value` lines" : "plain text in one line, without backslashes"))
  }
  return children[pointer]
}

# The pointer of the container.
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
  if (named + running != 1) refuse("there must be one container that is named or runs `kube-apiserver`; found " named + running)
  return found
}
'

# Reads an outline. Prints what to add for the variables `kubeconfig` and `folder`, with tabs between:
#   insert, the line after which, text        leaf, a line of the new outline without indices
#   has, what is there already
#   point or writable-point, line, mount path, host path, rest: where the mount point for the folder must be there, or
#     can be made
#   enter, line, mount path, host path, `root` or `below`: each folder of the host that the container enters on the way
#     to the kubeconfig, from the root of a mount down
#   process, user, groups, `all` or `own`: who kube-apiserver is, and whose files it may read
# Exit code 3 and a message where it cannot be told.
# shellcheck disable=SC2016
addition_program='
# The flag of an argument, as kube-apiserver reads it: it takes _ for -.
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
    if (text == "--") refuse("line " first[list "/" i] ": flags after `--` are not understood")
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

# The pointer of the volume of this name; "" if there is none.
function volume_of(name) {
  return name in volume_named ? volume_named[name] : ""
}

# YAML has these words for no value.
function is_unset(text) {
  return text ~ /^(~|null|Null|NULL)?$/
}

# Reads `hostPath: {path: X, type: Y}` as if it were lines; leaves as it is what is not as simple as that.
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

# Fills `volume_named`. The kubelet takes no pod in which a name is there twice.
function read_volumes(i, name) {
  for (i = 0; i < volumes; i++) {
    read_host_path("/spec/volumes/" i "/hostPath")
    name = value_at("/spec/volumes/" i "/name")
    if (name == "") refuse("line " first["/spec/volumes/" i] ": a volume without a `name`, with which the kubelet starts no pod")
    if (name in volume_named) refuse("line " first["/spec/volumes/" i] ": there is a second volume `" name "`, with which the kubelet starts no pod; rename one")
    volume_named[name] = "/spec/volumes/" i
  }
}

# The kubelet takes no pod in which a mount has no volume, or a container has two mounts at one path.
function check_mounts(list, i, j, mount, name, path, there) {
  for (i = 0; i < children[list]; i++) {
    split("", there)
    for (j = 0; j < children[list "/" i "/volumeMounts"]; j++) {
      mount = list "/" i "/volumeMounts/" j
      if (kind_of[mount] != "map") continue
      name = value_at(mount "/name")
      path = value_at(mount "/mountPath")
      if (volume_of(name) == "") refuse("line " first[mount] ": there is no volume `" name "` for this mount, and the kubelet starts no such pod; remove the mount, or add the volume")
      if (path in there) refuse("line " first[mount] ": a second mount at " path "; the kubelet starts no such pod; remove one")
      there[path] = 1
    }
  }
}

# The volume of this name, as its host path; "" if it is something else.
function host_path(name, volume) {
  volume = volume_of(name)
  if (kind_of[volume "/hostPath"] == "flow")
    refuse("line " first[volume "/hostPath"] ": this `hostPath` in flow style is not understood; write it as lines with indentation")
  return volume == "" ? "" : cleaned(value_at(volume "/hostPath/path"), first[volume])
}

# What a mount shows, as a host path; "" if it is something else, or not known.
function source_of(mount) {
  if ((mount "/subPath") in kind_of || (mount "/subPathExpr") in kind_of) return ""
  return host_path(value_at(mount "/name"))
}

# A path as the kubelet takes it: absolute, without doubled, trailing or single-dot parts.
function cleaned(path, line) {
  if (path == "") return ""
  path = "/" path "/"
  while (gsub(/\/\.\//, "/", path) + gsub(/\/\/+/, "/", path));
  if (path ~ /\/\.\.\//) refuse("line " line ": a path with `..` is not understood; write it without")
  if (path != "/") sub(/\/$/, "", path)
  return path
}

function is_inside(path, above) {
  return above == "/" ? path != "/" : index(path, above "/") == 1
}

# The kubelet checks what is on the host before it starts a container.
function check_type(name, is_file, volume, type) {
  volume = volume_of(name)
  type = value_at(volume "/hostPath/type")
  if (is_unset(type) || type ~ (is_file ? "^File(OrCreate)?$" : "^Directory(OrCreate)?$")) return
  refuse("line " first[volume] ": the volume `" name "` has the type `" type "`, which " host_path(name) " is not: the kubelet would not start the pod; write `" (is_file ? "File" : "Directory") "`")
}

# Where the runtime has to make the mount point for `folder`: in the file system of the container, or in the volume of
# the deepest mount above it. That is read-only as soon as it is mounted, so the mount point must be there already.
function check_parent(mount, path, line, name, volume, source, rest, is_read_only, type, where) {
  line = first[mount]
  name = value_at(mount "/name")
  volume = volume_of(name)
  where = "line " line ": " folder " is below the mount at " path ", "
  rest = substr(folder, path == "/" ? 2 : length(path) + 2)
  is_read_only = tolower(value_at(mount "/readOnly")) == "true"
  if (!is_unset(value_at(mount "/readOnly")) && tolower(value_at(mount "/readOnly")) !~ /^(true|false)$/)
    refuse("line " first[mount "/readOnly"] ": `readOnly` is not understood; write `true` or `false`")
  if ((mount "/subPathExpr") in kind_of || (mount "/subPath") in kind_of)
    refuse(where "a part of a volume (`subPath`), in which it is not known whether the mount point can be made; keep the webhook kubeconfig elsewhere, with --kubeconfig")
  if ((volume "/emptyDir") in kind_of && !is_read_only) return
  source = host_path(name)
  if (source == "")
    refuse(where "which is " (is_read_only ? "read-only" : "no folder of the host") ": the runtime could not make the mount point there, and kube-apiserver would not start; keep the webhook kubeconfig elsewhere, with --kubeconfig")
  type = value_at(volume "/hostPath/type")
  if (!is_unset(type) && type !~ /^Directory(OrCreate)?$/)
    refuse(where "which is no folder; keep the webhook kubeconfig elsewhere, with --kubeconfig")
  printf "%s\t%d\t%s\t%s\t%s\n", is_read_only ? "point" : "writable-point", line, path, source, rest
}

# Prints the folders of the host that the container enters on the way to the kubeconfig. In a mount, these are the host
# path and what is below it, until the next mount.
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

# A setting of the container or, failing that, of the pod; "" if neither has it. Sets `at`.
function security(key, i, context) {
  for (i = 1; i <= 2; i++) {
    context = (i == 1 ? container : "/spec") "/securityContext"
    # With a backslash, any name may be in it.
    if (kind_of[context] == "flow" && value_of[context] ~ /runAs|capabilities|privileged|fsGroup|supplementalGroups|\\/)
      refuse("line " first[context] ": `securityContext` in flow style is not understood; write it as lines with indentation")
    at = context "/" key
    if (!(at in kind_of) || (kind_of[at] ~ /^(null|scalar)$/ && is_unset(value_of[at]))) continue
    return value_of[at]
  }
  return ""
}

# YAML reads other numbers that begin with 0 as octal ones.
function is_number(text) {
  return text ~ /^(0|[1-9][0-9]*)$/
}

function number(key, value) {
  value = security(key)
  if (value != "" && !is_number(value)) refuse("line " first[at] ": `" key "` is not understood; write a number")
  return value
}

# The capabilities in a list of the container: "" or all of their names, in capitals. In flow style, those that matter
# count as dropped.
function capabilities(list, i, pointer, text) {
  pointer = container "/securityContext/capabilities"
  if (kind_of[pointer] == "flow") return list == "drop" && toupper(value_of[pointer]) ~ /ALL|DAC_|\\/ ? "ALL" : ""
  pointer = pointer "/" list
  text = value_at(pointer)
  for (i = 0; i < children[pointer]; i++) text = text " " value_at(pointer "/" i)
  return toupper(text)
}

# Prints the user and groups of kube-apiserver, and whether it may read the files of others: root may, unless that
# capability has been dropped. Its images run as root unless the manifest says otherwise.
function print_process(user, groups, i, pointer, count, dropped, added) {
  # YAML has more words for true and false than these.
  if (!is_unset(value_at("/spec/hostUsers")) && tolower(value_at("/spec/hostUsers")) != "true")
    refuse("line " first["/spec/hostUsers"] ": without `hostUsers: true` kube-apiserver has other users than the host, and it is not known whether it can read the kubeconfig; remove that line")
  user = number("runAsUser")
  if (tolower(security("runAsNonRoot")) !~ /^(false)?$/) {
    if (user == "")
      refuse("line " first[at] ": `runAsNonRoot` without a `runAsUser`: it is not known which user the image has, and whether that user can read the kubeconfig; set `runAsUser` to the owner of " kubeconfig)
    if (user + 0 == 0)
      refuse("line " first[at] ": `runAsNonRoot` with `runAsUser: 0`: the kubelet starts no container of root then; set `runAsUser` to the owner of " kubeconfig)
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

# Where to put an item at the end of a list that may not be there yet: sets `after` and `column`, and makes the key.
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
    refuse("line " first[container "/command/0"] ": `command` starts something other than kube-apiserver; add the flag where it gets its flags")
  commands = check_flags(container "/command")
  arguments = check_flags(container "/args")
  mounts = check_list(container "/volumeMounts", "map")
  volumes = check_list("/spec/volumes", "map")
  read_volumes()
  check_mounts("/spec/containers")
  check_mounts("/spec/initContainers")
  if (!commands && !arguments) refuse("the container of kube-apiserver has neither `command` nor `args`")
  if (flags > 1) refuse("line " flag_line ": the flag " FLAG " is there more than once; leave one")
  if (flags && flag_value != kubeconfig)
    refuse("line " flag_line ": " FLAG " has another value: `" flag_value "`.\nIf that webhook is to go, remove that line and what it mounts, and run this again; kube-apiserver asks one webhook only.\nIf that is the kubeconfig of ack-ram-authenticator, run this with --kubeconfig " flag_value)

  # Which mount shows the kubeconfig, if any: the deepest one around it.
  covering = ""
  covering_mount = ""
  for (i = 0; i < mounts; i++) {
    mount = container "/volumeMounts/" i
    path = cleaned(value_at(mount "/mountPath"), first[mount])
    if (path == "") continue
    if (is_inside(path, folder) && path != kubeconfig)
      refuse("line " first[mount] ": a mount inside " folder " is there already; keep the webhook kubeconfig in a folder of its own, with --kubeconfig")
    if (path != kubeconfig && !is_inside(kubeconfig, path)) continue
    if (path in mounted_at)
      refuse("line " first[mount] ": a second mount at " path "; the kubelet takes no such pod, or one hides the other; remove one")
    mounted_at[path] = source_of(mount)
    line_of_mount[path] = first[mount]
    if (length(path) <= length(covering)) continue
    covering = path
    covering_mount = mount
  }
  visible = covering_mount != "" && mounted_at[covering] == covering
  if (!visible && (covering == folder || covering == kubeconfig))
    refuse("line " first[covering_mount] ": something else than the folder of the host is mounted at " covering "; remove it, or choose another folder with --kubeconfig")
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
      refuse("line " first[list "/" i] ": there is a volume `" NAME "` already, of something else than " folder "; rename it")
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

# Reads an addition (the first file) and the outline of a manifest (the second). Prints which lines of the manifest are
# that addition: `delete`, first line, last line. Exit code 4 if nothing of it is there, 3 if something else is.
# shellcheck disable=SC2016
removal_program='
function forget(pointer) {
  printf "delete\t%d\t%d\n", first[pointer], last[pointer]
  found++
}

# Deletes the item whose leaves are exactly these; with it the key, if this script made it and nothing else is in it.
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
  if (found != expected) refuse("of what was added, some is gone or has been edited")
}
'

outline() {
  awk "$outline_program" "$1"
}

# The leaves of an outline, without indices and lines: what must stay.
leaves() {
  awk 'BEGIN { FS = "\t" } $2 != "map" && $2 != "seq" && $2 != "null" {
    pointer = $1
    gsub(/\/[0-9]+/, "/#", pointer)
    kind = $2
    sub(/^[^\t]*\t[^\t]*\t[^\t]*\t[^\t]*\t[^\t]*\t/, "")
    printf "%s\t%s\t%s\n", pointer, kind, $0
  }' "$1"
}

# Copies a manifest with the `insert` and `delete` lines of a plan carried out; every other byte stays.
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

# Finds one. Neither needs an API server.
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
    say "note: neither kubectl nor Python's yaml module is here; only this script's own reading checks the YAML" >&2
  fi
}

# -I: no variables of Python, no modules of the user or of the current folder. -S: no code of *.pth files.
python() {
  python3 -I -S "$@"
}

import_yaml='
import sys
sys.path += sys.argv[1:]
import yaml'

# Finds the folders of installed modules that no other user may write. Fails if one of Python itself is not such a folder.
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

# Prints the same document always in the same way, a line for each value.
normal() {
  case $parser in
    # HOME: kubectl reads preferences there, which may give its commands other options.
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

# Whether the bigger file is the smaller one with exactly these lines put in, whatever their order and indentation.
only_adds() { # smaller, bigger, lines
  local added
  if diff "$1" "$2" >"$work/difference"; then :; elif (($? > 1)); then return 1; fi
  if grep -q '^<' "$work/difference"; then return 1; fi
  added=$(sed -n 's/^> *//p' "$work/difference" | sort)
  [[ $added == "$(sed 's/^ *//' "$3" | sort)" ]]
}

# The new manifest must differ from the old one by this addition and by nothing else.
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

# Succeeds if no other user than root and the user of this script may write a file or folder; otherwise prints the user and
# what to run. With `sticky`, others may make new files in a folder that is sticky, as /tmp is. Owners in `$2` are accepted, too.
check_writers() { # path, owners, sticky
  local path=$1 owners=" 0 $EUID $2 " sticky=${3-} owner mode
  read -r owner mode < <(stat -L -c '%u %a' -- "$path") || return 1
  if [[ $owners != *" $owner "* ]]; then
    printf '%s belongs to uid %s, who may change it; if that is right, run: chown 0 %q\n' "$path" "$owner" "$path" >&2
    return 1
  fi
  if ((8#$mode & 8#022)) && ! { [[ $sticky == sticky ]] && ((8#$mode & 8#1000)); }; then
    printf '%s has mode %s, so other users may change it; run: chmod go-w %q\n' "$path" "$mode" "$path" >&2
    return 1
  fi
}

# The same of all folders above a path, and above what a link leads to, where others could put another one in its place.
check_folders_above() { # path, owners
  local folder
  for folder in "$(dirname -- "$1")" "$(dirname -- "$(readlink -m -- "$1")")"; do
    while [[ $folder != / ]]; do
      [[ ! -e $folder ]] || check_writers "$folder" "$2" sticky || return 1
      folder=$(dirname -- "$folder")
    done
  done
}

# Succeeds if a file, or a folder of files, comes from root, the user of this script or an owner in `$2`.
check_trusted() { # path, owners
  check_writers "$1" "${2-}" && check_folders_above "$1" "${2-}"
}

# ---- What it does -----------------------------------------------------------------------------------------------------

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

[[ -f $manifest ]] || fail "there is no file $manifest; name the static pod with --manifest"
[[ ! -L $manifest ]] || fail "$manifest is a link; name the file itself: --manifest $(readlink -f -- "$manifest")"
[[ -r $manifest ]] || fail "$manifest cannot be read; run this as root"
manifests=$(readlink -f -- "$(dirname -- "$manifest")")
name=$(basename -- "$manifest")
# Who owns the folder of static pods starts pods as root anyway. Kubespray gives it, and the folder above, to `kube`.
manifests_owner=$(stat -L -c %u -- "$manifests")
if ! { check_trusted "$manifests" "$manifests_owner" && check_trusted "$manifest" "$manifests_owner"; } 2>"$work/refusal"; then
  danger="a user who can write the folder of static pods starts pods as root"
  $undo || fail "$(<"$work/refusal")" "$danger; nothing has been changed"
  # kube-apiserver may be down.
  printf 'warning: %s\n' "$(<"$work/refusal")" "$danger; \`--undo\` goes on" >&2
fi
case $(readlink -m -- "$backup_dir")/ in
  "$manifests"/*)
    fail "--backup-dir is inside $manifests, where the kubelet would start each copy as a pod; choose another folder"
    ;;
esac

# All that follows is about this copy. Before the manifest is replaced, it must still be the same.
current=$work/current.yaml
cat -- "$manifest" >"$current"
target=$work/target.yaml

outline_of_current() {
  outline "$current" >"$work/outline" 2>"$work/refusal" ||
    fail "$manifest, $(<"$work/refusal")" "nothing has been changed; add the flag and the mount by hand (see the README)"
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

# Puts the target in place of the manifest at once.
replace() {
  # The kubelet passes over names that begin with a dot.
  new_manifest=$(mktemp -- "$manifests/.$name.XXXXXX")
  cp --preserve=all -- "$manifest" "$new_manifest"
  cat -- "$target" >"$new_manifest"
  sync -- "$new_manifest"
  cmp -s -- "$manifest" "$current" || fail "$manifest has been changed meanwhile; run this again"
  mv -f -- "$new_manifest" "$manifest"
  new_manifest=
}

# Keeps a copy of `$2` in the backup folder as `<manifest>.<time>.$1`.
keep() {
  cp --preserve=mode,ownership -- "$manifest" "$record.$1"
  cat -- "$2" >"$record.$1"
  sync -- "$record.$1"
}

# What is in that folder is put in place of the manifest by --undo.
check_backup_dir() {
  { [[ ! -e $backup_dir ]] || check_writers "$backup_dir" "$manifests_owner"; } 2>"$work/refusal" &&
    check_folders_above "$backup_dir" "$manifests_owner" 2>"$work/refusal" ||
    fail "$(<"$work/refusal")" \
      "\`--undo\` restores files from this folder: make it writable by root only, or choose another --backup-dir"
}

open_record() {
  mkdir -p -- "$backup_dir" || fail "$backup_dir cannot be made; run this as root, or choose another --backup-dir"
  check_backup_dir
  record=$(readlink -f -- "$backup_dir")/$name.$(date -u +%Y%m%dT%H%M%S.%NZ)
}

# kube-apiserver sends every token where this file says. The webhook, which writes it, may have a user of its own.
check_kubeconfig() {
  local owners
  [[ ! -L $kubeconfig ]] || fail \
    "$kubeconfig is a link, and kube-apiserver gets to see only its folder; name the file itself with --kubeconfig" \
    "the file: $(readlink -f -- "$kubeconfig")"
  owners="$(stat -L -c %u -- "$folder") $manifests_owner"
  { check_writers "$kubeconfig" "$owners" && check_trusted "$folder" "$owners"; } 2>"$work/refusal" ||
    fail "$(<"$work/refusal")" "kube-apiserver sends every token where the kubeconfig says; nothing has been changed"
}

# Checks the pod against the files of this node: whether the runtime can make the mount point, and whether the
# process can reach and read the kubeconfig.
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
      "in the container that link may lead nowhere, and kube-apiserver would not start" \
      "name the file without links: --kubeconfig $(readlink -f -- "$kubeconfig"); nothing has been changed"
    # The runtime makes what is missing, and lets everybody enter.
    [[ ! -e $base ]] || check_access "$user" "$groups" "$all" "$base" 1
  done < <(grep $'^enter\t' "$work/addition")
  check_access "$user" "$groups" "$all" "$kubeconfig" 4
}

# Below a read-only mount the runtime can make no folder: the mount point must be there, without links.
check_mount_point() { # line, mount path, host path, rest
  local at=$3 part
  while IFS= read -r -d / part; do
    at=$at/$part
    [[ -d $at && ! -L $at ]] || fail \
      "$manifest: line $1: $2 is a read-only mount of $3, in which there is no folder $4" \
      "the runtime could not make the mount point $folder there, and kube-apiserver would not start" \
      "run: mkdir -p $3/$4; or keep the webhook kubeconfig elsewhere, with --kubeconfig; nothing has been changed"
  done <<<"$4/"
}

# In other mounts the runtime makes the folders that are missing, where no file is in the way.
check_mount_path() { # line, mount path, host path, rest
  local at=$3 part
  while IFS= read -r -d / part; do
    at=$at/$part
    [[ ! -L $at && (-d $at || ! -e $at) ]] || fail \
      "$manifest: line $1: $2 is a mount of $3, in which $4 is no folder" \
      "the runtime could not make the mount point $folder there, and kube-apiserver would not start" \
      "keep the webhook kubeconfig elsewhere, with --kubeconfig; nothing has been changed"
  done <<<"$4/"
}

# Whether a process with this user and these groups can enter a folder (1) or read a file (4).
check_access() { # user, groups, whether root has its rights over files of others, path, permission
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
    what=enter remedy="let its user enter the folder: chmod a+x $path"
  else
    what=read remedy="give its user the kubeconfig: chown $user $path"
  fi
  fail \
    "$manifest: kube-apiserver runs as uid $user, groups ${groups//,/ }, who cannot $what $path (uid $owner, gid $group, mode $mode)" \
    "it would not start; $remedy; or set \`runAsUser: $owner\` in its securityContext" \
    "nothing has been changed"
}

add() {
  [[ (! -d $folder || -x $folder) && (! -e $kubeconfig || -r $kubeconfig) ]] ||
    fail "$kubeconfig cannot be read; run this as root"
  [[ -s $kubeconfig && -f $kubeconfig ]] || fail \
    "there is no webhook kubeconfig $kubeconfig, and kube-apiserver does not start without it" \
    "start ack-ram-authenticator on this node first, or make the file with 'ack-ram-authenticator init'"
  grep -Eq '^[[:space:]{]*"?kind"?:[[:space:]]*"?Config"?' -- "$kubeconfig" || fail \
    "$kubeconfig is no kubeconfig, and kube-apiserver does not start with it" \
    "make the file again: start ack-ram-authenticator on this node, or run 'ack-ram-authenticator init'"
  check_kubeconfig
  outline_of_current
  plan_addition "$work/outline" "$work/addition"
  check_pod
  sed -n 's/^has\t/already there: /p' "$work/addition"
  if ! grep -q '^insert' "$work/addition"; then
    say "$manifest is configured already; nothing has been changed"
    return
  fi
  edit "$current" "$work/addition" >"$target"
  check_difference "$current" "$target" "$work/addition" 2>"$work/refusal" ||
    fail "what this script would write is not what it means to write $(<"$work/refusal")" \
      "nothing has been changed; add the flag and the mount by hand (see the README)"
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
  say "$manifest is changed; as it was: $record.before" \
    "The kubelet now starts kube-apiserver anew. Look with: kubectl get --raw /readyz" \
    "If it does not come back: $0 --undo$(options_again)"
}

# The options that --undo needs, too.
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
  [[ -n $newest ]] || fail "$backup_dir holds no change of $name; if it was made with another --backup-dir, name that"
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
    say "$manifest is as it was, byte for byte; what was there is kept as $record.undone"
  else
    say "$manifest has been edited since, so only what was added is removed; what was there is kept as $record.undone"
  fi
}

# Makes the target out of the current manifest and the record of a change. Fails if nothing of that change is there.
remove_what_was_added() {
  local before=$1 addition=${1%.before}.addition code=0
  outline_of_current
  awk "$pod_functions$removal_program" "$addition" "$work/outline" >"$work/removal" 2>"$work/refusal" || code=$?
  if ((code == 4)); then
    say "nothing of the latest change is in $manifest; nothing has been changed"
    return 1
  fi
  ((code == 0)) || fail "$manifest: $(<"$work/refusal")" \
    "nothing has been changed; remove the rest by hand. How the manifest was before: $before"
  edit "$current" "$work/removal" >"$target"
  check_difference "$target" "$current" "$addition" 2>"$work/refusal" ||
    fail "removing what was added would change something else $(<"$work/refusal")" \
      "nothing has been changed; how the manifest was before: $before"
}

if $undo; then take_back; else add; fi
