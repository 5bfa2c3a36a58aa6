# Recipes for everyday work. `just` lists them; each is one command that can be typed as well.

# List the recipes.
default:
    @just --list

# Build the program as a newcomer does.
build:
    cargo build --release --locked

# Run every test; arguments choose tests of the full suite.
test *args:
    scripts/test {{ args }}

# Run the tests of the core alone, in seconds.
core *args:
    cargo nextest run --no-default-features {{ args }}

# Run clippy as CI does.
lint:
    cargo clippy --locked --all-targets --features fail-points -- -D warnings
    cargo clippy --locked --all-targets --no-default-features -- -D warnings

# Format the code.
fmt:
    cargo fmt

# Play a whole release on the sandbox, and write its report.
demo *args:
    cargo run --release --locked -- demo {{ args }}

# Check the action, the workflows and the scripts.
actions:
    scripts/check-actions

# Check advisories, licences, bans and sources of the dependencies.
deny:
    cargo deny --locked check

# Do all that CI does.
ci:
    .ci/run
