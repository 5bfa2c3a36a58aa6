#!/usr/bin/env bash
# Checks action/run.sh with programs that only print what they were started with.
# What it proves: an input is one argument however it is written, a doubtful input stops the run, the program takes the
# script's place, and a build sees no secret. What it can't: the runner's own handling of action.yml.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
readonly here
work=$(mktemp -d)
readonly work
trap 'rm -rf -- "$work"' EXIT

# Long enough for a program to start on a busy machine, in tenths of a second.
readonly START_TENTHS=100

failures=0
checks=0

main() {
    set_up
    passes_inputs_on
    refuses_doubtful_inputs
    picks_the_program
    builds_without_secrets
    hands_over_exit_code_and_signals
    wires_every_input
    printf '%s checks of the action, %s failed\n' "$checks" "$failures"
    [[ $failures -eq 0 ]]
}

# A tidegate that prints each argument between brackets, in a folder that is otherwise empty.
set_up() {
    mkdir -p "$work/tools" "$work/no-cargo" "$work/workspace/sub folder" "$work/source" "$work/temp"
    cat >"$work/tools/tidegate" <<'STUB'
#!/usr/bin/env bash
if [[ -n ${STUB_SAYS-} ]]; then printf '%s\n' "${!STUB_SAYS}"; fi
printf '[%s]' "$@"
printf '\nin %s\n' "$PWD"
exit "${STUB_EXIT:-0}"
STUB
    # A cargo that leaves such a program where cargo would, and tells what it saw.
    mkdir -p "$work/cargo"
    cat >"$work/cargo/cargo" <<'STUB'
#!/usr/bin/env bash
printf '[%s]' "$@" >"$CARGO_TARGET_DIR.seen"
printf '\nin %s\n' "$PWD" >>"$CARGO_TARGET_DIR.seen"
env >>"$CARGO_TARGET_DIR.seen"
[[ ! -e $CARGO_TARGET_DIR.broken ]] || exit 101
mkdir -p "$CARGO_TARGET_DIR/release"
cp "$HOME/tools/tidegate" "$CARGO_TARGET_DIR/release/tidegate"
STUB
    cat >"$work/signalled" <<'STUB'
#!/usr/bin/env bash
trap 'echo stopped by TERM; exit 143' TERM
echo "pid $$"
for _ in $(seq 200); do sleep 0.05; done
echo 'never stopped'
STUB
    chmod +x "$work/tools/tidegate" "$work/cargo/cargo" "$work/signalled"
}

# action KEY=VALUE... runs the script as the action would, with these on top of the defaults of action.yml.
# Standard output goes to $output, standard error to $errors, the exit code to $code.
action() {
    code=0
    (cd -- "$work/workspace" && env -i PATH="$work/tools:$PATH" HOME="$work" RUNNER_TEMP="$work/temp" \
        GITHUB_ACTION_PATH="$work/source" INPUT_JOB=release-monitor INPUT_CONFIG='' INPUT_APP='' INPUT_DRY_RUN=false \
        INPUT_ALSO_HALT=false INPUT_BINARY='' INPUT_WORKING_DIRECTORY=. "$@" bash --noprofile --norc "$here/run.sh") \
        >"$work/out" 2>"$work/err" || code=$?
    output=$(<"$work/out")
    errors=$(<"$work/err")
}

passes_inputs_on() {
    action
    arguments 'defaults' '[run][release-monitor][--output][github]'
    action INPUT_CONFIG=tidegate.toml INPUT_APP=android INPUT_DRY_RUN=true
    arguments 'every input' '[run][release-monitor][--output][github][--config=tidegate.toml][--app=android][--dry-run]'
    action INPUT_APP=$'android ios,tv\nwear\r\n,, watch '
    arguments 'several apps' '[run][release-monitor][--output][github][--app=android][--app=ios][--app=tv][--app=wear][--app=watch]'
    action INPUT_DRY_RUN=TRUE
    arguments 'dry-run in capitals' '[run][release-monitor][--output][github][--dry-run]'
    action INPUT_DRY_RUN=False
    arguments 'no dry-run in mixed case' '[run][release-monitor][--output][github]'

    action INPUT_APP='a; rm -rf /'
    arguments 'app with a command' '[run][release-monitor][--output][github][--app=a;][--app=rm][--app=-rf][--app=/]'
    action INPUT_APP="\$(touch $work/touched) \`touch $work/touched\` * \"' --dry-run"
    arguments 'app with everything a shell knows' "[run][release-monitor][--output][github][--app=\$(touch][--app=$work/touched)][--app=\`touch][--app=$work/touched\`][--app=*][--app=\"'][--app=--dry-run]"
    action INPUT_JOB="release-monitor'; touch $work/touched #"
    arguments 'job with a command' "[run][release-monitor'; touch $work/touched #][--output][github]"
    action INPUT_JOB=$'release-monitor\n--dry-run'
    arguments 'job with a new line' $'[run][release-monitor\n--dry-run][--output][github]'
    action INPUT_CONFIG=$'--help $(touch '"$work"$'/touched)\n"x"'
    arguments 'config with spaces, quotes and a new line' $'[run][release-monitor][--output][github][--config=--help $(touch '"$work"$'/touched)\n"x"]'
    action INPUT_JOB=hold INPUT_REASON='the login fails' INPUT_UNTIL=6h INPUT_ALSO_HALT=true INPUT_APP=android
    arguments 'hold' '[control][hold][--reason=the login fails][--until=6h][--also-halt][--output][github][--app=android]'
    action INPUT_JOB=halt INPUT_REASON="\$(touch $work/touched)" INPUT_RELEASE=2.0 INPUT_UNTIL=6h INPUT_DRY_RUN=true
    arguments 'halt' "[control][halt][--reason=\$(touch $work/touched)][--release=2.0][--output][github][--dry-run]"
    action INPUT_JOB=resume INPUT_REASON=--help INPUT_FRACTION=0.15
    arguments 'resume' '[control][resume][--reason=--help][--fraction=0.15][--output][github]'
    action INPUT_JOB=release-hold INPUT_REASON=over
    arguments 'release-hold' '[control][release-hold][--reason=over][--output][github]'
    action INPUT_JOB=explain INPUT_DECISION=d-0123456789abcdef INPUT_DRY_RUN=true INPUT_REASON=why
    arguments 'explain' '[explain][d-0123456789abcdef][--output][github]'
    action INPUT_JOB=doctor INPUT_DRY_RUN=true
    arguments 'doctor' '[doctor][--output][github]'
    action INPUT_JOB=report INPUT_OUT='a folder' INPUT_DRY_RUN=true INPUT_APP=android
    arguments 'report' '[report][--out=a folder][--output][github][--app=android]'
    action INPUT_MODE=observe STUB_SAYS=TIDEGATE_MODE
    expect 'mode' 'observe' "$(head -n 1 "$work/out")"
    action TIDEGATE_MODE=off STUB_SAYS=TIDEGATE_MODE
    expect 'mode of the environment' 'off' "$(head -n 1 "$work/out")"
    expect 'nothing was run' '' "$(ls "$work/touched" 2>/dev/null || true)"
}

refuses_doubtful_inputs() {
    action INPUT_JOB=
    refused 'empty job' 'input "job" is empty'
    action INPUT_JOB=--help
    refused 'job that is an option' 'input "job" is --help'
    for value in yes '' 1 on 'true ' $'true\nfalse' '::add-mask::x'; do
        action INPUT_DRY_RUN="$value"
        refused "dry-run $(printf '%q' "$value")" 'write dry-run: true or dry-run: false'
    done
    action INPUT_JOB=halt
    refused 'halt without a reason' 'input "reason" is empty'
    action INPUT_JOB=release-monitor INPUT_ALSO_HALT=true
    refused 'a hold of halts that is no hold' 'only a hold takes'
    action INPUT_JOB=hold INPUT_REASON=x INPUT_ALSO_HALT=yes
    refused 'also-halt yes' 'write also-halt: true or also-halt: false'
    action INPUT_JOB=report INPUT_OUT=
    refused 'report without a folder' 'input "out" is empty'
    action INPUT_JOB=explain INPUT_DECISION=--help
    refused 'decision that is an option' 'input "decision" is --help'
    for value in ' ' ',' $'\n' ' ,,'; do
        action INPUT_APP="$value"
        refused "app $(printf '%q' "$value")" 'which holds no app id'
    done
    action INPUT_WORKING_DIRECTORY=missing
    refused 'missing folder' 'input "working-directory" is missing'

    action GITHUB_ACTIONS=true INPUT_DRY_RUN=$'50%\n::stop-commands::x'
    refused 'annotation' 'input "dry-run" is'
    expect 'annotation is one escaped line' \
        $'::error title=tidegate::input "dry-run" is $\'50%25\\n::stop-commands::x\'; write dry-run: true or dry-run: false' \
        "$(grep '^::' "$work/err")"
}

picks_the_program() {
    cp "$work/tools/tidegate" "$work/workspace/sub folder/my tidegate"
    action INPUT_BINARY='sub folder/my tidegate' INPUT_WORKING_DIRECTORY='sub folder'
    expect 'binary relative to the workspace, run in the folder' \
        "[run][release-monitor][--output][github]"$'\n'"in $work/workspace/sub folder" "$output"
    action INPUT_BINARY="$work/workspace/sub folder/my tidegate"
    arguments 'absolute binary' '[run][release-monitor][--output][github]'
    action INPUT_BINARY=missing
    refused 'missing binary' 'input "binary" is missing'
    action INPUT_BINARY='sub folder'
    refused 'binary that is a folder' 'is not a program that can be run'
    action PATH="$(path_without tidegate cargo)"
    refused 'neither tidegate nor cargo' 'no cargo to build it'
}

builds_without_secrets() {
    local path
    path=$work/cargo:$(path_without tidegate cargo)
    action PATH="$path" SLACK_BOT_TOKEN=canary ACTIONS_ID_TOKEN_REQUEST_TOKEN=canary ASC_PRIVATE_KEY=canary
    arguments 'built program' '[run][release-monitor][--output][github]'
    expect 'how it was built' "[build][--locked][--profile][release][--bin][tidegate]"$'\n'"in $work/source" \
        "$(head -n 2 "$work/temp/tidegate-target.seen")"
    expect 'no secret in sight of the build' '' "$(grep canary "$work/temp/tidegate-target.seen" || true)"

    rm -rf "$work/temp/tidegate-target"
    : >"$work/temp/tidegate-target.broken"
    action PATH="$path"
    refused 'failed build' 'tidegate did not build'
    action PATH="$path" RUNNER_TEMP=
    refused 'no folder to build in' 'RUNNER_TEMP names no folder'
}

hands_over_exit_code_and_signals() {
    local pid
    action STUB_EXIT=11
    expect 'exit code of the program' 11 "$code"

    env INPUT_JOB=release-monitor INPUT_DRY_RUN=false INPUT_ALSO_HALT=false INPUT_BINARY="$work/signalled" \
        bash --noprofile --norc "$here/run.sh" >"$work/signal-out" &
    pid=$!
    for _ in $(seq "$START_TENTHS"); do
        if [[ -s $work/signal-out ]]; then break; fi
        sleep 0.1
    done
    kill -TERM "$pid"
    code=0
    wait "$pid" || code=$?
    expect 'the program is the process that is signalled' "pid $pid"$'\nstopped by TERM' "$(<"$work/signal-out")"
    expect 'exit code after the signal' 143 "$code"
}

# Each input of action.yml is read by the script, and none is spliced into a script.
wires_every_input() {
    local name variable
    local -r manifest=$here/../action.yml
    while read -r name; do
        variable=INPUT_$(tr 'a-z-' 'A-Z_' <<<"$name")
        expect "input $name is handed over" 1 "$(grep -cF "        $variable: \${{ inputs.$name }}" "$manifest")"
        expect "input $name is read" 1 "$(grep -c "\${$variable-}" "$here/run.sh")"
    done < <(sed -n '/^inputs:/,/^outputs:/s/^  \([a-z-]*\):$/\1/p' "$manifest")
    expect 'no expression in a script' '' "$(grep -E '^ *(- )?run:.*\$\{\{' "$manifest" || true)"
}

# PATH with links to the few tools that the script and the stubs need, so that others of the machine are not found.
path_without() {
    local tool
    for tool in bash env dirname mkdir cp; do
        ln -sf "$(type -P "$tool")" "$work/no-cargo/$tool"
    done
    printf '%s\n' "$work/no-cargo"
}

arguments() {
    expect "$1: arguments" "$2"$'\n'"in $work/workspace" "$output"
    expect "$1: exit code" 0 "$code"
}

refused() {
    expect "$1: exit code" 2 "$code"
    expect "$1: nothing ran" '' "$output"
    checks=$((checks + 1))
    if [[ $errors != *"$2"* ]]; then report "$1: message" "...$2..." "$errors"; fi
}

expect() {
    checks=$((checks + 1))
    if [[ $2 != "$3" ]]; then report "$@"; fi
}

report() {
    failures=$((failures + 1))
    printf 'FAILED %s\n  expected: %s\n  found:    %s\n' "$1" "$2" "$3" >&2
}

main
