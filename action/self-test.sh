#!/usr/bin/env bash
# Starts a sandbox for CI's test of the action, and writes a configuration that points to it.
#
#   action/self-test.sh BINARY FOLDER
#
# Leaves in FOLDER the sandbox's own line (sandbox.json), its log, its process id, tidegate.toml, and slack-token: what
# a run needs as SLACK_BOT_TOKEN, good for this sandbox only. The sandbox goes on until it is sent SIGTERM.
set -euo pipefail
umask 077

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
readonly here
# Time for the sandbox to say that it is ready, in tenths of a second.
readonly READY_TENTHS=300

main() {
    local -r binary=${1:?'the path of a tidegate program is missing'}
    local folder=${2:?'a folder for the files is missing'} ready='' google_play slack
    mkdir -p -- "$folder"
    folder=$(cd -- "$folder" && pwd)
    nohup "$binary" sandbox --seed "$here/self-test-seed.json" --credentials-dir "$folder/credentials" \
        >"$folder/sandbox.json" 2>"$folder/sandbox.log" </dev/null &
    printf '%s\n' "$!" >"$folder/sandbox.pid"
    for _ in $(seq "$READY_TENTHS"); do
        # The line is whole once read finds its end.
        if read -r ready <"$folder/sandbox.json" || ! kill -0 "$!" 2>/dev/null; then break; fi
        sleep 0.1
    done
    if [[ $ready != *'}' ]]; then
        printf 'the sandbox did not start:\n' >&2
        cat -- "$folder/sandbox.json" "$folder/sandbox.log" >&2
        kill "$!" 2>/dev/null || true
        exit 1
    fi
    google_play=$(field google_play "$ready")
    slack=$(field slack "$ready")
    field slack_token "$ready" >"$folder/slack-token"
    # Exports without a row: the release has no sessions yet.
    for table in firebase_sessions firebase_crashlytics; do
        "$binary" import --warehouse "$folder/warehouse.sqlite" "$table.com_example_app_ANDROID_REALTIME" /dev/null >&2
    done
    configuration "$folder" "$google_play" "$slack" >"$folder/tidegate.toml"
    printf '%s\n' "$folder/tidegate.toml"
}

configuration() {
    cat <<TOML
[warehouse]
kind = "embedded"
path = '$1/warehouse.sqlite'

[state]
kind = "sqlite"
path = '$1/state.sqlite'

[slack]
channel = "C0123456"
token = "env:SLACK_BOT_TOKEN"

[google_play]
credentials = 'file:$1/credentials/play-service-account.json'

[[app]]
id = "android"
platform = "android"
package = "com.example.app"
track = "production"

[endpoints]
google_play = "$2"
slack = "$3"
TOML
}

# field NAME JSON prints the text at that key, which occurs once; the sandbox's texts need no unescaping.
field() {
    if [[ ! $2 =~ \"$1\"\ *:\ *\"([^\"]+)\" ]]; then
        printf 'the sandbox names no %s: %s\n' "$1" "$2" >&2
        return 1
    fi
    printf '%s' "${BASH_REMATCH[1]}"
}

main "$@"
