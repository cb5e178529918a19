#!/bin/sh
# Stands in for the OCI runtime or for conmon, whichever it is called by the name of. It calls the real one, and fails where the
# container's annotation says so; see fail-points.ts. Beside it are the directory `reached` and the file `engine.pid`.
set -u
here=${0%/*}
tool=${0##*/}
for directory in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
  real=$directory/$tool
  [ -x "$real" ] && break
done

verb='' id='' root='' option=''
[ "$tool" = conmon ] && verb=create
for argument; do
  [ "$argument" = --runtime-arg ] && continue
  [ "$option" = --root ] && root=$argument
  option=$argument
  case $tool,$argument in
    conmon,--exec) verb=exec ;;
    conmon,--restore) verb=restore ;;
    conmon,*) ;;
    *,create | *,start | *,kill | *,delete | *,state | *,exec | *,pause | *,resume | *,update | *,checkpoint | *,restore)
      verb=${verb:-$argument}
      ;;
  esac
  case $argument in
    *[!0-9a-f]*) ;;
    *) [ ${#argument} -eq 64 ] && id=${id:-$argument} ;;
  esac
done
[ -n "$id" ] && [ -n "$root" ] || exec "$real" "$@"

# Bundles are beside the runtime's root. conmon is started while its container's is still being written.
config=${root%/*}/bundles/$id/config.json
while [ "$tool $verb" = 'conmon create' ] && [ ! -s "$config" ]; do sleep 0.005; done
points=$(sed -n 's|.*"podfleet.test/fail-points":"\([^"]*\)".*|\1|p' "$config" 2>&1)
case $points in
  *"$tool $verb: "*) ;;
  *) exec "$real" "$@" ;;
esac

# Prints what is to be done before or after the call; each point is passed once.
take() {
  IFS=';'
  for point in $points; do
    action=${point#"$tool $verb: $1 "}
    [ "$action" = "$point" ] && continue
    mkdir "$here/reached/$id $tool $verb: $1 $action" 2>/dev/null && echo "$action" && return
  done
}

await_engine_end() {
  engine=$(cat "$here/engine.pid")
  while kill -0 "$engine" 2>/dev/null; do sleep 0.2; done
}

act() {
  case $1 in
    fail)
      echo 'a fail point was reached' >&2
      exit 1
      ;;
    hang) while :; do sleep 0.5; done ;;
    delay*) sleep "${1#delay }" ;;
    kill-engine)
      kill -9 "$(cat "$here/engine.pid")"
      exit 1
      ;;
    stop)
      await_engine_end
      exit 1
      ;;
    hold) await_engine_end ;;
  esac
}

act "$(take before)"
"$real" "$@"
status=$?
act "$(take after)"
exit $status
