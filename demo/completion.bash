# Tab completion:  . demo/completion.bash
# shellcheck shell=bash

_smartstack() {
    mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" complete \
        "${COMP_WORDS[@]:1:COMP_CWORD}")
}
complete -F _smartstack demo/smartstack smartstack
