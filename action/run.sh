#!/usr/bin/env bash
# Turns the action's inputs into one command line of tidegate, and becomes that program.
#
# It knows the words that are no jobs, because their command lines differ; it knows no job and no app: the program checks
# those and lists the known ones. It refuses what the program could not
# tell from a mistake: an empty job, a dry-run that is neither true nor false, a list of apps without an app.
# Inputs are data. They are never evaluated, and each reaches the program as part of exactly one argument.
# Written for bash 3.2 and later, the oldest on a hosted runner (macOS); no other tools, but for cargo when it builds.
set -euo pipefail

# Exit code of tidegate for a wrong command line or configuration.
readonly EXIT_USAGE=2

main() {
    local job=${INPUT_JOB-} config=${INPUT_CONFIG-} dry_run also_halt binary
    local -a args apps

    check_job "$job"
    dry_run=$(parse_boolean dry-run "${INPUT_DRY_RUN-}")
    also_halt=$(parse_boolean also-halt "${INPUT_ALSO_HALT-}")
    apps=()
    parse_apps "${INPUT_APP-}"
    find_binary "${INPUT_BINARY-}"

    args=()
    command_of "$job"
    args+=(--output github)
    # One word for option and value: a value that begins with a dash stays a value.
    if [[ -n $config ]]; then args+=("--config=$config"); fi
    # Bash before 4.4 takes an empty array for an unset one.
    for app in ${apps[@]+"${apps[@]}"}; do args+=("--app=$app"); done
    case ${args[0]} in
        run | control) if [[ $dry_run == true ]]; then args+=(--dry-run); fi ;;
    esac
    take_mode "${INPUT_MODE-}"

    enter "${INPUT_WORKING_DIRECTORY-}"
    # Signals of a cancelled run are sent to this process, so the program must be this process.
    exec "$binary" "${args[@]}"
}

# A job that begins with a dash would be read as an option; every other text is left to the program to know.
check_job() {
    case $1 in
        '') fail 'input "job" is empty; name the job to run, for example job: release-monitor' ;;
        -*) fail "input \"job\" is $(quoted "$1"), which reads as an option; name a job, for example job: release-monitor" ;;
    esac
}

# YAML's yes and on arrive here as text; taking them for false would act where nothing was meant to be done.
parse_boolean() {
    case $2 in
        [Tt][Rr][Uu][Ee]) echo true ;;
        [Ff][Aa][Ll][Ss][Ee]) echo false ;;
        *) fail "input \"$1\" is $(quoted "$2"); write $1: true or $1: false" ;;
    esac
}

# Fills `args` of the caller with the command, and reads `also_halt` of it. A workflow that is started by hand gives all its
# inputs with every command, so those that a command does not take are left out; but a hold of halts is never dropped.
command_of() {
    local word=$1
    local -r release=${INPUT_RELEASE-} reason=${INPUT_REASON-} until=${INPUT_UNTIL-} fraction=${INPUT_FRACTION-}
    local -r decision=${INPUT_DECISION-} out=${INPUT_OUT-}
    case $word in
        hold | release-hold | halt | resume)
            if [[ -z $reason ]]; then fail "input \"reason\" is empty; say why, everybody reads it"; fi
            args=(control "$word" "--reason=$reason")
            if [[ -n $release ]]; then args+=("--release=$release"); fi
            ;;
        explain)
            case $decision in
                '' | -*) fail "input \"decision\" is $(quoted "$decision"); give the id of a decision" ;;
            esac
            args=(explain "$decision")
            ;;
        doctor) args=(doctor) ;;
        report)
            if [[ -z $out ]]; then fail 'input "out" is empty; name the folder to write the report into'; fi
            args=(report "--out=$out")
            ;;
        *) args=(run "$word") ;;
    esac
    if [[ $word == hold ]]; then
        if [[ -n $until ]]; then args+=("--until=$until"); fi
        if [[ $also_halt == true ]]; then args+=(--also-halt); fi
    elif [[ $also_halt == true ]]; then
        fail 'input "also-halt" is true, which only a hold takes'
    fi
    if [[ $word == resume && -n $fraction ]]; then args+=("--fraction=$fraction"); fi
}

# The program reads its mode from the environment only, so that the same variable works without this action.
take_mode() {
    if [[ -n $1 ]]; then export TIDEGATE_MODE=$1; fi
}

# Fills `apps` of the caller. Only an empty input means every app: a list that lost its ids must not widen the run.
parse_apps() {
    local -a words=()
    local word
    if [[ -z $1 ]]; then return; fi
    IFS=$', \t\r\n' read -r -d '' -a words <<<"$1" || true
    for word in ${words[@]+"${words[@]}"}; do
        if [[ -n $word ]]; then apps+=("$word"); fi
    done
    if [[ ${#apps[@]} -eq 0 ]]; then
        fail "input \"app\" is $(quoted "$1"), which holds no app id; name an app, or leave it out to run for every app"
    fi
}

# Fills `binary` of the caller, with an absolute path because the program is started from another folder.
# Not by way of $( ), where set -e does not hold and a failed build would go unseen.
find_binary() {
    if [[ -n $1 ]]; then
        if [[ ! -f $1 || ! -x $1 ]]; then
            fail "input \"binary\" is $(quoted "$1"), which is not a program that can be run; give the path of a tidegate program relative to the workspace, or leave it out"
        fi
        binary=$1
    elif binary=$(type -P tidegate); then
        note "using $(quoted "$binary"), found on PATH"
    else
        build
    fi
    case $binary in
        /* | [A-Za-z]:[/\\]*) ;;
        *) binary=$PWD/$binary ;;
    esac
}

# Builds from the source that came with the action, so the commit that pins the action pins the program.
# Build scripts of the dependencies get none of the step's secrets: cargo sees the variables that are named here only.
build() {
    local name suffix=''
    local -a kept=()
    local -r source=${GITHUB_ACTION_PATH:-$(dirname -- "${BASH_SOURCE[0]}")/..}
    local -r target=${RUNNER_TEMP-}/tidegate-target

    if [[ -z ${RUNNER_TEMP-} ]]; then
        fail 'no tidegate on PATH, and RUNNER_TEMP names no folder to build one in; set RUNNER_TEMP, or give the path of a tidegate program in the input "binary"'
    fi
    if ! type -P cargo >/dev/null; then
        fail 'no tidegate on PATH and no cargo to build it; install Rust, or give the path of a tidegate program in the input "binary"'
    fi
    for name in PATH HOME USERPROFILE TMPDIR TEMP TMP SYSTEMROOT CARGO_HOME RUSTUP_HOME RUSTUP_DIST_SERVER \
        CC CXX CMAKE HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy SSL_CERT_FILE CARGO_HTTP_CAINFO; do
        if [[ -n ${!name-} ]]; then kept+=("$name=${!name}"); fi
    done
    if [[ ${OS-} == Windows_NT ]]; then suffix=.exe; fi

    note 'building tidegate from the source of the action; this takes some minutes'
    if ! (cd -- "$source" && env -i "${kept[@]}" CARGO_TARGET_DIR="$target" cargo build --locked --profile release --bin tidegate); then
        fail 'tidegate did not build; the lines above say why. The input "binary" takes a program that is built already'
    fi
    binary=$target/release/tidegate$suffix
}

enter() {
    local -r folder=${1:-.}
    if ! cd -- "$folder" 2>/dev/null; then
        fail "input \"working-directory\" is $(quoted "$folder"), which is no folder; give one relative to the workspace"
    fi
}

# Text of an input on one line, without control characters.
quoted() {
    printf '%q' "$1"
}

note() {
    printf 'tidegate action: %s\n' "$1" >&2
}

# Says what is wrong where people look, and ends the script.
fail() {
    note "$1"
    if [[ ${GITHUB_ACTIONS-} == true ]]; then
        # The runner decodes %25 in an annotation; line ends can't be in it, see quoted.
        printf '::error title=tidegate::%s\n' "${1//%/%25}" >&2
    fi
    exit "$EXIT_USAGE"
}

main
