#!/bin/sh
# Makes the requests in this directory with OpenSSL 3. Their private keys are thrown away, so a second run makes other
# bytes; the tests depend on no byte of them.
set -eu
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -r "$keys"' EXIT
subject=/CN=56b2fa41-d79a-4aad-ba26-e26e719878bb/OU=demo-factory

# request NAME "genpkey options" "req options"
request() {
    openssl genpkey $2 -out "$keys/$1.pem" 2>/dev/null
    openssl req -new -utf8 -nodes -key "$keys/$1.pem" -subj "$subject" $3 -out "$1.csr"
}

ec="-algorithm EC -pkeyopt ec_paramgen_curve"
rsa="-algorithm RSA -pkeyopt rsa_keygen_bits"

request p256 "$ec:P-256" -sha256
request p256-sha384 "$ec:P-256" -sha384
request p256-sha512 "$ec:P-256" -sha512
request p256-sha224 "$ec:P-256" -sha224
request p256-sha1 "$ec:P-256" -sha1
request p256-explicit-curve "$ec:P-256 -pkeyopt ec_param_enc:explicit" -sha256
request p384 "$ec:P-384" -sha384
request p521 "$ec:P-521" -sha512
request p224 "$ec:P-224" -sha256
request secp256k1 "$ec:secp256k1" -sha256
request brainpool256r1 "$ec:brainpoolP256r1" -sha256
request rsa-512 "$rsa:512" -sha256
request rsa-1024 "$rsa:1024" -sha256
request rsa-1024-sha384 "$rsa:1024" -sha384
request rsa-2048 "$rsa:2048" -sha256
request rsa-2048-md5 "$rsa:2048" -md5
request rsa-2048-sha1 "$rsa:2048" -sha1
request rsa-2048-exponent-3 "$rsa:2048 -pkeyopt rsa_keygen_pubexp:3" -sha256
request rsa-2048-pss "$rsa:2048" "-sha256 -sigopt rsa_padding_mode:pss"
request ed25519 "-algorithm ED25519" ""
request ed448 "-algorithm ED448" ""

# A compressed point is a matter of how the key is written, not of the key.
openssl genpkey $ec:P-256 -out "$keys/plain.pem" 2>/dev/null
openssl ec -in "$keys/plain.pem" -conv_form compressed -out "$keys/compressed.pem" 2>/dev/null
openssl req -new -key "$keys/compressed.pem" -subj "$subject" -sha256 -out p256-compressed.csr

# With OpenSSL's own text before the block.
openssl req -new -key "$keys/p256.pem" -subj "$subject" -sha256 -text -out p256-text.csr
