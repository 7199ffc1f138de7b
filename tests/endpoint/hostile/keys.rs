//! Certification requests that cannot be read, or whose keys nobody wants: the corpus of `tests/requests`, through HTTP.

use super::rows::{Lab, Row, Wanted};
use crate::build::*;
use crate::corpus::{self, Case};

pub fn rows(lab: &Lab) -> Vec<Row> {
    let mut rows = Vec::new();
    for (table, cases) in [
        ("structure", corpus::odd_structure()),
        ("info", corpus::odd_info()),
        ("key", corpus::odd_keys()),
        ("attribute", corpus::odd_attributes()),
        ("algorithm", corpus::odd_signature_algorithms()),
        ("file", corpus::no_requests()),
    ] {
        rows.extend(cases.into_iter().filter_map(|case| row(lab, table, case)));
    }
    rows.extend(kinds(lab));
    rows.extend(texts(lab));
    rows.extend(sizes(lab));
    rows.extend(extensions(lab));
    rows
}

/// A body can only carry text: DER goes into a PEM block, where the same is wrong with it.
fn row(lab: &Lab, table: &str, (name, bytes, message): Case) -> Option<Row> {
    let name = format!("{table}: {name}");
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.as_bytes()[0] == SEQUENCE => to_pem(error.as_bytes()),
        Err(_) => return None,
    };
    let empty = text.is_empty();
    let octets = lab.bent(|body| body["csr"] = text.into());
    Some(match empty {
        true => Row::error(name, octets, 400, "Missing required field 'csr'"),
        false => Row::csr(name, octets, message),
    })
}

fn kinds(lab: &Lab) -> Vec<Row> {
    let profile = |found| format!("the key is {found}, wanted is P-256");
    let key = |found| format!("the key is {found}, wanted is P-256, P-384, Ed25519 or RSA");
    let bad = |found| format!("the public key is malformed: {found}");
    let signed = |found| {
        format!(
            "proof of possession fails: the signature algorithm is {found}, wanted is ECDSA with SHA-256 or SHA-384, Ed25519, or RSA with SHA-256, SHA-384 or SHA-512"
        )
    };
    let rows = [
        ("p384", profile("P-384")),
        ("ed25519", profile("Ed25519")),
        ("rsa-1024", profile("RSA-1024")),
        ("rsa-2048", profile("RSA-2048")),
        ("rsa-2048-exponent-3", profile("RSA-2048")),
        ("p224", key("P-224")),
        ("p521", key("P-521")),
        ("secp256k1", key("secp256k1")),
        ("brainpool256r1", key("brainpoolP256r1")),
        ("ed448", key("Ed448")),
        ("rsa-512", key("RSA-512")),
        ("p256-explicit-curve", bad("an EC key must name its curve")),
        ("p256-compressed", bad("an EC point must be uncompressed")),
        ("p256-sha1", signed("ECDSA with SHA-1")),
        ("p256-sha224", signed("ECDSA with SHA-224")),
        ("p256-sha512", signed("ECDSA with SHA-512")),
        ("rsa-2048-md5", signed("RSA with MD5")),
        ("rsa-2048-sha1", signed("RSA with SHA-1")),
        ("rsa-2048-pss", signed("RSA-PSS")),
        (
            "rsa-1024-sha384",
            "proof of possession fails: the signature algorithm is RSA with SHA-384, wanted is one that fits the key, RSA-1024".to_owned(),
        ),
        ("p256-text", "there is text outside the PEM blocks".to_owned()),
    ];
    rows.into_iter()
        .map(|(name, text)| {
            let path = format!("tests/data/csr/{name}.csr");
            let csr = std::fs::read_to_string(path).unwrap();
            let octets = lab.bent(|body| body["csr"] = csr.into());
            Row::csr(format!("OpenSSL's {name}"), octets, text)
        })
        .collect()
}

/// What is done to the PEM text.
fn texts(lab: &Lab) -> Vec<Row> {
    let pem = to_pem(&lab.csr());
    let leaf = lab.factory.read("pki/certs/line-1.pem");
    let end = "the PEM block has no END line that matches its BEGIN line";
    let base64 = "the text between the PEM lines is not base64";
    let label = "the PEM label is not 1 to 64 printable ASCII characters";
    let outside = "there is text outside the PEM blocks";
    let neither = "it is neither PEM nor DER, wanted is a certification request in one of them";
    let certificate = "the PEM block is a `CERTIFICATE`, wanted is a `CERTIFICATE REQUEST`";
    let rows = [
        ("the CA's own certificate", leaf.clone(), certificate),
        (
            "the CA's certificate as a request",
            leaf.replace("CERTIFICATE", "CERTIFICATE REQUEST"),
            "not a certification request in DER: wanted is SEQUENCE { version, subject, public key, [0] attributes } as its info",
        ),
        (
            "a certificate after the request",
            format!("{pem}{leaf}"),
            "there are 2 PEM blocks, wanted is one",
        ),
        (
            "a request after a certificate",
            format!("{leaf}{pem}"),
            "there are 2 PEM blocks, wanted is one",
        ),
        (
            "the same request three times",
            pem.repeat(3),
            "there are 3 PEM blocks, wanted is one",
        ),
        (
            "a header and a blank line",
            pem.replacen('\n', "\nComment: x\n\n", 1),
            base64,
        ),
        ("a comment at the end", format!("{pem}# x"), outside),
        ("HTML around it", format!("<pre>{pem}</pre>"), outside),
        ("six dashes", pem.replace("-----", "------"), outside),
        ("four dashes", pem.replace("-----", "----"), neither),
        ("em dashes", pem.replace("-----", "——"), neither),
        (
            "base64 of base64",
            pem.lines()
                .map(|line| format!("{line}\n"))
                .collect::<String>()
                .replace("MII", "TUlJ"),
            base64,
        ),
        (
            "URL-safe base64",
            pem.replace(['+', '/'], "-").replace("MII", "M-_"),
            base64,
        ),
        (
            "padding in the middle",
            pem.replacen("MII", "MI=", 1),
            base64,
        ),
        (
            "too much padding",
            pem.replace("\n-----END", "====\n-----END"),
            base64,
        ),
        ("full-width letters", pem.replacen("MII", "ＭII", 1), base64),
        (
            "a NUL in the base64",
            pem.replacen("MII", "M\0II", 1),
            base64,
        ),
        (
            "an escape in the label",
            pem.replace("REQUEST", "REQU\u{1b}[31mEST"),
            label,
        ),
        (
            "a right-to-left mark in the label",
            pem.replace("REQUEST", "\u{202e}REQUEST"),
            label,
        ),
        (
            "quotes in the label",
            pem.replace("REQUEST", "\"REQUEST\""),
            "the PEM block is a `CERTIFICATE \"REQUEST\"`, wanted is a `CERTIFICATE REQUEST`",
        ),
        (
            "format strings in the label",
            pem.replace("REQUEST", "{} %n %s"),
            "the PEM block is a `CERTIFICATE {} %n %s`, wanted is a `CERTIFICATE REQUEST`",
        ),
        (
            "a BEGIN within the block",
            pem.replacen("MII", "-----BEGIN CERTIFICATE REQUEST-----MII", 1),
            end,
        ),
        (
            "an END alone",
            "-----END CERTIFICATE REQUEST-----".to_owned(),
            neither,
        ),
        (
            "END before BEGIN",
            "-----END A----------BEGIN A-----".to_owned(),
            outside,
        ),
        ("a path", "/etc/passwd".to_owned(), neither),
        ("a URL", "file:///etc/passwd".to_owned(), neither),
        (
            "one blank",
            " ".to_owned(),
            "it is empty, wanted is a certification request in PEM or DER",
        ),
        (
            "DER as text",
            "0\u{82}\u{1}".to_owned(),
            "not a certification request in DER: its length is written in a way DER does not allow",
        ),
    ];
    rows.into_iter()
        .map(|(name, csr, text)| {
            let octets = lab.bent(|body| body["csr"] = csr.into());
            Row::csr(format!("PEM: {name}"), octets, text)
        })
        .collect()
}

fn sizes(lab: &Lab) -> Vec<Row> {
    let key = Key::new();
    let draft = Draft::proper(&key).subject(device_name(&lab.device(), FACTORY));
    let padded = |octets: usize| {
        let password = tlv(UTF8, &[&vec![b'a'; octets]]);
        let attribute = attribute(CHALLENGE_PASSWORD, &[&password]);
        draft.clone().attributes(&[&attribute]).sign(&key)
    };
    let large = |found: usize| format!("it has {found} bytes, at most 16384 are read");
    let with = |csr: String| lab.bent(|body| body["csr"] = csr.into());
    let proper = to_pem(&lab.csr());
    let blanks = format!("{proper}{}", " ".repeat(16_384));
    let many = padded(20_000);
    let (pem, taken) = (to_pem(&many), padded(11_000));
    vec![
        Row::csr("a request of 20 KB", with(pem.clone()), large(pem.len())),
        Row::csr(
            "a request with 16 KiB of blanks",
            with(blanks.clone()),
            large(blanks.len()),
        ),
        Row::csr("60000 dashes", with("-".repeat(60_000)), large(60_000)),
        Row::csr(
            "16384 dashes",
            with("-".repeat(16_384)),
            "it is neither PEM nor DER, wanted is a certification request in one of them",
        ),
        Row::csr(
            "400 BEGIN lines",
            with("-----BEGIN CERTIFICATE REQUEST-----\n".repeat(400)),
            "the PEM block has no END line that matches its BEGIN line",
        ),
        Row::csr(
            "200 blocks",
            with("-----BEGIN A-----\nAAEC\n-----END A-----\n".repeat(200)),
            "there are 200 PEM blocks, wanted is one",
        ),
        Row::new(
            "a request of 11 KB",
            lab.post(lab.body(&taken).to_string().as_bytes()),
            Wanted::Certificate(taken),
        ),
    ]
}

/// Whatever is asked for, the profile's extensions are what it gets.
fn extensions(lab: &Lab) -> Vec<Row> {
    let ca = "the requested basicConstraints is CA:TRUE, wanted is none, or CA:FALSE";
    let unreadable = "the requested basicConstraints is unreadable, wanted is none, or CA:FALSE";
    let constraints = |value: &[u8]| extension(BASIC_CONSTRAINTS, &TRUE, value);
    let drafted = |extensions: &[&[u8]]| {
        let key = Key::new();
        let draft = Draft::proper(&key).subject(device_name(&lab.device(), FACTORY));
        draft.extensions(extensions).sign(&key)
    };
    let post = |csr: &[u8]| lab.post(lab.body(csr).to_string().as_bytes());
    let mut rows: Vec<Row> = [
        ("CA:TRUE", constraints(&[SEQUENCE, 3, BOOLEAN, 1, 0xff]), ca),
        (
            "CA:TRUE with a path length",
            constraints(&[SEQUENCE, 6, BOOLEAN, 1, 0xff, INTEGER, 1, 0]),
            ca,
        ),
        (
            "CA:TRUE that is not critical",
            extension(BASIC_CONSTRAINTS, &[], &[SEQUENCE, 3, BOOLEAN, 1, 0xff]),
            ca,
        ),
        (
            "basicConstraints of no octets",
            constraints(&[]),
            unreadable,
        ),
        (
            "basicConstraints twice in one",
            constraints(&[SEQUENCE, 0, SEQUENCE, 3, BOOLEAN, 1, 0xff]),
            unreadable,
        ),
        (
            "basicConstraints in BER",
            constraints(&[SEQUENCE, 0x80, BOOLEAN, 1, 0xff, 0, 0]),
            unreadable,
        ),
        (
            "basicConstraints cut short",
            constraints(&[SEQUENCE, 3, BOOLEAN]),
            unreadable,
        ),
    ]
    .into_iter()
    .map(|(name, extension, text)| {
        Row::csr(
            format!("asks for {name}"),
            post(&drafted(&[&extension])),
            text,
        )
    })
    .collect();
    let san = tlv(SEQUENCE, &[&tlv(0x82, &[b"gateway.example"])]);
    let ignored: [(&str, Vec<u8>); 11] = [
        ("a dNSName", extension(SUBJECT_ALT_NAME, &[], &san)),
        ("keyCertSign", extension(KEY_USAGE, &TRUE, &[3, 2, 1, 6])),
        (
            "serverAuth",
            extension(
                "2.5.29.37",
                &[],
                &[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1],
            ),
        ),
        (
            "anyExtendedKeyUsage",
            extension("2.5.29.37", &TRUE, &[0x30, 6, 6, 4, 0x55, 0x1d, 0x25, 0]),
        ),
        (
            "another SKI",
            extension("2.5.29.14", &[], &[4, 4, 1, 2, 3, 4]),
        ),
        (
            "another AKI",
            extension("2.5.29.35", &[], &[0x30, 6, 0x80, 4, 1, 2, 3, 4]),
        ),
        ("a CRL elsewhere", extension("2.5.29.31", &[], &[0x30, 0])),
        (
            "a policy",
            extension("2.5.29.32", &[], &[0x30, 6, 0x30, 4, 6, 2, 0x2a, 3]),
        ),
        (
            "name constraints",
            extension("2.5.29.30", &TRUE, &[0x30, 0]),
        ),
        (
            "an extension nobody knows, critical",
            extension("1.2.3.4.5", &TRUE, b"anything"),
        ),
        ("CA:FALSE", constraints(&[SEQUENCE, 0])),
    ];
    for (name, extension) in ignored {
        let csr = drafted(&[&extension]);
        rows.push(Row::new(
            format!("asks for {name}"),
            post(&csr),
            Wanted::Certificate(csr),
        ));
    }
    let none = drafted(&[]);
    rows.push(Row::new(
        "asks for no extension",
        post(&none),
        Wanted::Certificate(none),
    ));
    let many: Vec<Vec<u8>> = (1..600)
        .map(|n| extension(&format!("1.2.3.{n}"), &[], &[]))
        .collect();
    let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    let many = drafted(&many);
    rows.push(Row::new(
        "asks for 599 extensions",
        post(&many),
        Wanted::Certificate(many),
    ));
    rows
}
