//! Who says who they are, and how.

use super::rows::{Lab, Row, Wanted};

pub fn rows(lab: &Lab) -> Vec<Row> {
    let token = lab.token.as_str();
    let unknown = "the registrar token is not known";
    let missing = "a registrar token is needed: the device sends it with `-T TOKEN`, as `OSF-TOKEN` or `Authorization: Bearer`";
    let ambiguous = "two different registrar tokens were sent";
    let long = "x".repeat(8192);
    let almost = format!(
        "{}{}",
        &token[..token.len() - 1],
        if token.ends_with('A') { 'B' } else { 'A' }
    );
    let mut rows: Vec<Row> = [
        ("none", vec![], missing),
        ("an empty one", vec![lines(&["OSF-TOKEN:"])], missing),
        ("blanks", vec![lines(&["OSF-TOKEN:    "])], missing),
        ("a word", vec![lines(&["OSF-TOKEN: secret"])], unknown),
        (
            "8 KiB",
            vec![lines(&[&format!("OSF-TOKEN: {long}")])],
            unknown,
        ),
        (
            "8 KiB after the prefix",
            vec![lines(&[&format!("OSF-TOKEN: fcr_{long}")])],
            unknown,
        ),
        (
            "the prefix alone",
            vec![lines(&["OSF-TOKEN: fcr_"])],
            unknown,
        ),
        (
            "another last letter",
            vec![lines(&[&format!("OSF-TOKEN: {almost}")])],
            unknown,
        ),
        (
            "the first half",
            vec![lines(&[&format!("OSF-TOKEN: {}", &token[..20])])],
            unknown,
        ),
        (
            "one letter more",
            vec![lines(&[&format!("OSF-TOKEN: {token}x")])],
            unknown,
        ),
        (
            "capitals",
            vec![lines(&[&format!(
                "OSF-TOKEN: {}",
                token.to_ascii_uppercase()
            )])],
            unknown,
        ),
        (
            "quotes",
            vec![lines(&[&format!("OSF-TOKEN: \"{token}\"")])],
            unknown,
        ),
        (
            "octets above ASCII",
            vec![b"OSF-TOKEN: \xff\xfe\x80\r\n".to_vec()],
            unknown,
        ),
        (
            "a tab within",
            vec![lines(&["OSF-TOKEN: fcr_\tx"])],
            unknown,
        ),
        ("SQL", vec![lines(&["OSF-TOKEN: ' OR '1'='1"])], unknown),
        (
            "a format string",
            vec![lines(&["OSF-TOKEN: fcr_{}%s%n"])],
            unknown,
        ),
        (
            "the hash of nothing",
            vec![lines(&[
                "OSF-TOKEN: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ])],
            unknown,
        ),
        (
            "two in one line",
            vec![lines(&[&format!("OSF-TOKEN: {token}, {token}")])],
            unknown,
        ),
        (
            "a good one and a bad one",
            vec![lines(&[&format!("OSF-TOKEN: {token}"), "OSF-TOKEN: x"])],
            ambiguous,
        ),
        (
            "a bad one and a good one",
            vec![lines(&["OSF-TOKEN: x", &format!("OSF-TOKEN: {token}")])],
            ambiguous,
        ),
        (
            "a good one and a bad bearer",
            vec![lines(&[
                &format!("OSF-TOKEN: {token}"),
                "Authorization: Bearer x",
            ])],
            ambiguous,
        ),
        (
            "Basic",
            vec![lines(&[&format!("Authorization: Basic {token}")])],
            missing,
        ),
        (
            "a bearer without blank",
            vec![lines(&[&format!("Authorization: Bearer{token}")])],
            missing,
        ),
        (
            "a bearer of nothing",
            vec![lines(&["Authorization: Bearer "])],
            missing,
        ),
        (
            "in a cookie",
            vec![lines(&[&format!("Cookie: OSF-TOKEN={token}")])],
            missing,
        ),
        (
            "in another header",
            vec![lines(&[&format!("X-OSF-TOKEN: {token}")])],
            missing,
        ),
        (
            "in the trailer",
            vec![lines(&[&format!("Trailer: OSF-TOKEN: {token}")])],
            missing,
        ),
    ]
    .into_iter()
    .map(|(name, lines, message)| {
        let octets = post(lab, &lines.concat(), &lab.csr());
        Row::error(format!("token: {name}"), octets, 401, message)
    })
    .collect();
    let good: [(&str, Vec<String>); 7] = [
        (
            "as a bearer",
            vec![format!("Authorization: Bearer {token}")],
        ),
        (
            "as a bearer in capitals",
            vec![format!("AUTHORIZATION: BEARER   {token}  ")],
        ),
        (
            "in both headers",
            vec![
                format!("OSF-TOKEN: {token}"),
                format!("Authorization: Bearer {token}"),
            ],
        ),
        (
            "twice",
            vec![format!("OSF-TOKEN: {token}"), format!("osf-token: {token}")],
        ),
        (
            "beside Basic",
            vec![
                format!("OSF-TOKEN: {token}"),
                "Authorization: Basic eDp5".to_owned(),
            ],
        ),
        (
            "beside an empty one",
            vec!["OSF-TOKEN:".to_owned(), format!("OSF-TOKEN: {token}")],
        ),
        (
            "with blanks and tabs around",
            vec![format!("OSF-TOKEN: \t {token} \t")],
        ),
    ];
    for (name, good) in good {
        let csr = lab.csr();
        let good: Vec<&str> = good.iter().map(String::as_str).collect();
        let octets = post(lab, &lines(&good), &csr);
        rows.push(Row::new(
            format!("token {name}"),
            octets,
            Wanted::Certificate(csr),
        ));
    }
    rows
}

fn lines(lines: &[&str]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| [line.as_bytes(), b"\r\n"].concat())
        .collect()
}

fn post(lab: &Lab, lines: &[u8], csr: &[u8]) -> Vec<u8> {
    let body = lab.body(csr).to_string();
    let head = "POST /sign HTTP/1.1\r\nHost: ca\r\nContent-Type: application/json\r\n";
    let length = format!("Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), lines, length.as_bytes(), body.as_bytes()].concat()
}
