//! What follows the options in each help page: examples and exit codes.

pub const TOP: &str = "\
Examples:
  factory-ca init --factory acme
  factory-ca batch issue csrs --out devices

Exit codes:
    0  done
    1  refused: reject this device
    2  usage, configuration or PIN: fix it, never retry blindly
    3  token or ledger unavailable, nothing signed: retry later
    4  unknown outcome: stop the line
  130  interrupted";

pub const INIT: &str = "\
Examples:
  factory-ca init --factory acme
  factory-ca init --factory acme --module /usr/lib/vendor/libpkcs11.so

Exit codes: 0 done · 2 usage or configuration · 3 token unavailable";

pub const TOKEN_LIST: &str = "\
Examples:
  factory-ca token list
  factory-ca token list --module /usr/lib/softhsm/libsofthsm2.so --json

Exit codes: 0 done · 2 usage or configuration · 3 module unavailable";

pub const TOKEN_INIT: &str = "\
Examples:
  factory-ca token init root
  factory-ca token init line --so-pin-file so.pin --pin-file line=line.pin

Exit codes: 0 done · 2 usage, configuration or PIN · 3 token unavailable";

pub const TOKEN_SHOW: &str = "\
Examples:
  factory-ca token show line
  factory-ca token show line --pin-fd line=3 --json 3<line.pin

Exit codes: 0 done · 2 usage, configuration or PIN · 3 token unavailable";

pub const CA_CREATE: &str = "\
Examples:
  factory-ca ca create root --confirm root
  factory-ca ca create line-1 --common-name fio-5f1e --key-type p384

Exit codes: 0 done · 2 usage, configuration or PIN · 3 token or ledger unavailable ·
4 unknown outcome";

pub const CA_LIST: &str = "\
Examples:
  factory-ca ca list
  factory-ca ca list --json

Exit codes: 0 done · 2 usage or configuration";

pub const CA_SHOW: &str = "\
Examples:
  factory-ca ca show line-1
  factory-ca ca show root --json

Exit codes: 0 done · 2 usage or configuration";

pub const CA_REQUEST: &str = "\
Examples:
  factory-ca ca request line-1 -o line-1.request
  factory-ca ca request line-1 --existing-key -o again.request

The file goes to the machine with the root: factory-ca ca sign line-1.request -o line-1.answer

Exit codes: 0 done · 2 usage, configuration or PIN · 3 token unavailable";

pub const CA_SIGN: &str = "\
Examples:
  factory-ca ca sign line-1.request -o line-1.answer
  factory-ca ca sign line-1.request --confirm fio-5f3a -o line-1.answer

The certificate is shown before it is signed. The same request again gets the same certificate.

Exit codes: 0 done · 1 refused · 2 usage, configuration or PIN, a damaged file, or not agreed to ·
3 token or ledger unavailable · 4 unknown outcome";

pub const CA_IMPORT: &str = "\
Examples:
  factory-ca ca import line-1.answer
  factory-ca ca import line-1.answer --confirm 7f26b063a748b3f4

Compare the root's SHA-256 with what `factory-ca ca show root` says on the machine with the root.

Exit codes: 0 done · 2 usage, configuration or PIN, or a file that does not fit · 3 token unavailable";

pub const CA_SIGN_CSR: &str = "\
Examples:
  factory-ca ca sign-csr tls.csr --allow-dns gateway.example.com -o tls-crt
  factory-ca ca sign-csr online.csr --profile device-ca --confirm fio-5f3a -o online-crt

The certificate is shown before it is signed. The same request again gets the same certificate.

Exit codes: 0 done · 1 refused · 2 usage, configuration or PIN, or not agreed to · 3 token or ledger
unavailable · 4 unknown outcome";

pub const TLS_CREATE: &str = "\
Examples:
  factory-ca tls create --dns ca.factory.example --key pki/endpoint.key -o pki/certs/endpoint.pem
  factory-ca tls create --dns ca.factory.example --token line --object endpoint --request -o endpoint.csr

The certificate is signed by the root, under the profile tls-server, for the names that are given here.

Exit codes: 0 done · 2 usage, configuration or PIN · 3 token or ledger unavailable · 4 unknown outcome";

pub const CRL_ISSUE: &str = "\
Examples:
  factory-ca crl issue line-1
  factory-ca crl issue root --every 180d --overlap 14d --ahead 3

Each list is kept under its number; the newest is published as NAME.crl (DER) and NAME.pem.

Exit codes: 0 done · 2 usage, configuration or PIN · 3 token or ledger unavailable · 4 unknown outcome";

pub const CRL_SHOW: &str = "\
Examples:
  factory-ca crl show pki/crl/line-1.crl
  factory-ca crl show pki/crl/line-1.pem --limit 100 --json

Exit codes: 0 done · 2 usage";

pub const DEVICE_ISSUE: &str = "\
Examples:
  factory-ca device issue device.csr -o client.pem
  factory-ca device issue - --chained <device.csr

Exit codes: 0 done · 1 refused · 2 usage, configuration or PIN · 3 token or ledger unavailable ·
4 unknown outcome";

pub const DEVICE_LIST: &str = "\
Examples:
  factory-ca device list --limit 20
  factory-ca device list --state revoked --json

Exit codes: 0 done · 2 usage or configuration · 3 ledger unavailable";

pub const DEVICE_SHOW: &str = "\
Examples:
  factory-ca device show 56b2fa41-d79a-4aad-ba26-e26e719878bb
  factory-ca device show 56b2fa41-d79a-4aad-ba26-e26e719878bb --json

Exit codes: 0 done · 2 no such device · 3 ledger unavailable";

pub const DEVICE_ALLOW: &str = "\
Examples:
  factory-ca device allow-reissue 56b2fa41-d79a-4aad-ba26-e26e719878bb
  factory-ca device allow-reissue 56b2fa41-d79a-4aad-ba26-e26e719878bb --by alice --within 1h

Exit codes: 0 done · 2 no such device · 3 ledger unavailable";

pub const BATCH_ISSUE: &str = "\
Examples:
  factory-ca batch issue csrs --out devices
  factory-ca batch issue csrs --out certificates.ndjson --format ndjson --json

Exit codes, the worst of all requests:
    0  all have certificates
    1  some were refused
    2  usage, configuration or PIN
    3  token or ledger unavailable: run it again
    4  unknown outcome: stop the line
  130  interrupted: run it again";

pub const REGISTRAR_CREATE: &str = "\
Examples:
  factory-ca registrar create line-3 --production require --from 192.0.2.0/24 -o line-3.token
  factory-ca registrar create lab --reissue --expires 30d --max 100 >lab.token

The token is shown once; the ledger keeps only its hash.

Exit codes: 0 done · 2 usage or configuration · 3 ledger unavailable · 4 unknown outcome";

pub const REGISTRAR_LIST: &str = "\
Examples:
  factory-ca registrar list
  factory-ca registrar list --json

Exit codes: 0 done · 2 usage or configuration · 3 ledger unavailable";

pub const REGISTRAR_CLOSE: &str = "\
Examples:
  factory-ca registrar close lab
  factory-ca registrar close line-3 --by alice

Exit codes: 0 done · 2 no such registrar · 3 ledger unavailable · 4 unknown outcome";

pub const BUNDLE_EXPORT: &str = "\
Examples:
  factory-ca bundle export
  factory-ca bundle export /srv/gateway/certs

Exit codes: 0 done · 2 usage or configuration";

pub const PROFILE_LIST: &str = "\
Examples:
  factory-ca profile list
  factory-ca profile list --json

Exit codes: 0 done · 2 usage or configuration";

pub const PROFILE_SHOW: &str = "\
Examples:
  factory-ca profile show device
  factory-ca profile show tls-server >tls-server.yaml

Exit codes: 0 done · 2 no such profile";

pub const PROFILE_CHECK: &str = "\
Examples:
  factory-ca profile check pki/profiles/tls-server.yaml
  factory-ca profile check my.yaml --json

Exit codes: 0 sound · 2 not sound";

pub const LEDGER_CHECK: &str = "\
Examples:
  factory-ca ledger check
  factory-ca ledger check --json

Exit codes: 0 clean · 2 usage or configuration · 3 ledger unavailable · 4 an invariant is broken";

pub const LEDGER_EXPORT: &str = "\
Examples:
  factory-ca ledger export -o issued.csv
  factory-ca ledger export --format ndjson

Exit codes: 0 done · 2 usage or configuration · 3 ledger unavailable";

pub const LEDGER_BACKUP: &str = "\
Examples:
  factory-ca ledger backup /mnt/backup/ledger-2026-11-24.db
  factory-ca ledger backup ledger.bak --json

Exit codes: 0 done · 2 usage or configuration · 3 ledger unavailable";

pub const GATEWAY_RETRY: &str = "\
Examples:
  factory-ca gateway retry --dry-run
  factory-ca gateway retry --json

Exit codes: 0 nothing waits any more · 1 the backend refuses some: their certificates are revoked ·
2 usage, configuration or API token · 3 some still wait · 4 unknown outcome";

pub const GATEWAY_DENIED_LIST: &str = "\
Examples:
  factory-ca gateway denied list
  factory-ca gateway denied list --json

Exit codes: 0 done · 2 usage, configuration or API token · 3 API unavailable";

pub const GATEWAY_DENIED_DELETE: &str = "\
Examples:
  factory-ca gateway denied delete 56b2fa41-d79a-4aad-ba26-e26e719878bb --dry-run
  factory-ca gateway denied delete 56b2fa41-d79a-4aad-ba26-e26e719878bb --yes

Exit codes: 0 done, or it was not on the list · 2 usage, configuration or API token ·
3 API unavailable";

pub const SERVE: &str = "\
Examples:
  factory-ca serve
  factory-ca serve --listen 0.0.0.0:8080 --json 2>>endpoint.log

It ends with SIGTERM or SIGINT, after what it took.

Exit codes: 0 stopped · 2 usage, configuration or PIN: do not restart ·
3 token or ledger unavailable · 4 unknown outcome: do not restart";

pub const BENCH: &str = "\
Examples:
  factory-ca bench
  factory-ca bench --count 100000 --sessions 4 --dir /var/lib/factory-ca

Exit codes: 0 done · 2 usage, configuration or PIN · 3 token unavailable";

pub const COMPLETIONS: &str = "\
Examples:
  factory-ca completions bash >/etc/bash_completion.d/factory-ca
  factory-ca completions zsh >~/.zfunc/_factory-ca

Exit codes: 0 done · 2 usage";

pub const MAN: &str = "\
Examples:
  factory-ca man man
  factory-ca man /usr/local/share/man/man1

Exit codes: 0 done · 2 usage";
