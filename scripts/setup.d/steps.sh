# One line per step, with the time it took. What a step prints goes to the log, and is shown if it
# fails.

missing=()

# step WHO TITLE CHECK ACTION [BY_HAND]: nothing to do if CHECK holds; otherwise ACTION must make it
# hold. WHO is `user`, or `root` if ACTION needs root: others are told by BY_HAND what to type.
step() {
  local who=$1 title=$2 check=$3 action=$4 by_hand=${5:-}
  local started=$EPOCHREALTIME
  if holds "$check"; then
    report "ok" "$title" "already there"
  elif [ "$who" = root ] && [ "$(id -u)" != 0 ]; then
    report "--" "$title" "needs root"
    missing+=("$title" "$("$by_hand")")
  else
    report ".." "$title" "working"
    run "$title" "$action"
    holds "$check" || fail "$title" "still not there after installing it"
    report "ok" "$title" "$(seconds_since "$started") s"
  fi
}

report() { printf '%-4s%-36s %s\n' "$1" "$2" "$3"; }

# True if a check holds; what it prints goes to the log.
holds() { (set +e; "$1") >>"$log" 2>&1; }

# Runs an action with its own `set -e`: bash ignores it wherever a status is tested.
run() {
  local title=$1 action=$2 status=0
  echo "== $title" >>"$log"
  set +e
  (set -e; "$action") >>"$log" 2>&1
  status=$?
  set -e
  [ "$status" = 0 ] || fail "$title" "ended with status $status"
}

fail() {
  report "NO" "$1" "$2"
  echo "The last lines of $log:" >&2
  tail -n 25 "$log" | sed 's/^/    /' >&2
  finish
  exit 1
}

# Says what a person has to do where this script may not.
finish() {
  [ "${#missing[@]}" = 0 ] && return
  echo
  echo "This script may not change the machine (it is not run as root). Still missing:"
  local index
  for ((index = 0; index < ${#missing[@]}; index += 2)); do
    printf '  %s:\n    %s\n' "${missing[index]}" "${missing[index + 1]}"
  done
  exit 1
}

seconds_since() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }'; }
