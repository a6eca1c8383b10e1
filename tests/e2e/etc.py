"""Programs that see an /etc/hosts or an /etc/resolv.conf of their own."""

import os


def with_its_own(sandbox, program, name, text):
    """Returns that file in the sandbox, and the command that starts `program`
    with it in place of /etc/NAME."""
    mine = sandbox.write(name, text)
    os.chmod(mine, 0o644)
    binary = sandbox.write(f"with-{name}", f"""#!/bin/sh
exec unshare --mount sh -c 'mount --bind {mine} /etc/{name}
exec {program} "$@"' sh "$@"
""")
    os.chmod(binary, 0o755)
    return mine, binary
