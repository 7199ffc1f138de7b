//! The list of denied devices.

use factory_ca::gateway::device_api::{DeniedDevice, Removal};
use factory_ca::gateway::{ApiError, DeviceApi};

use crate::support::http::{Answer, MockServer, ok, status};
use crate::{TOKEN, UUID, client, config, token};

fn page(uuids: &[&str], next: &str) -> Answer {
    let devices: Vec<_> = uuids
        .iter()
        .map(|uuid| serde_json::json!({"uuid": uuid, "name": format!("name-of-{uuid}"), "x": 1}))
        .collect();
    let next: serde_json::Value = serde_json::from_str(next).unwrap();
    ok(&serde_json::json!({"devices": devices, "total": 3, "next": next}).to_string())
}

fn uuids(found: Result<Vec<DeniedDevice>, ApiError>) -> Result<Vec<String>, String> {
    let uuids =
        |devices: Vec<DeniedDevice>| devices.into_iter().map(|device| device.uuid).collect();
    found.map(uuids).map_err(|error| error.to_string())
}

#[test]
fn the_list_is_walked_by_page_number() {
    // Where the next page is said to be does not matter.
    let elsewhere = "\"https://evil.example/?page=2\"";
    let server = MockServer::start(vec![page(&["a", "b"], elsewhere), page(&["c"], "null")]);
    let found = client(&server.url()).denied();
    assert_eq!(uuids(found).unwrap(), ["a", "b", "c"]);
    let base = "GET /ota/factories/demo-factory/denied-devices/?limit=50";
    assert_eq!(
        server.lines(),
        [format!("{base}&page=1"), format!("{base}&page=2")]
    );
    for received in server.received() {
        assert_eq!(received.header("osf-token"), Some(TOKEN));
    }
}

#[test]
fn an_empty_page_is_the_end() {
    for answer in [
        page(&[], "\"/?page=2\""),
        ok(r#"{"devices": null}"#),
        ok(r#"{"devices": []}"#),
    ] {
        let server = MockServer::start(vec![answer]);
        assert_eq!(client(&server.url()).denied(), Ok(Vec::new()));
    }
}

#[test]
fn names_are_fit_to_be_shown() {
    let devices = r#"{"devices": [{"uuid": "a\u001b[2J", "name": "x\u202e\ny"}, {"uuid": "b", "name": null}, {"uuid": "c"}]}"#;
    let server = MockServer::start(vec![ok(devices)]);
    let device = |uuid: &str, name: Option<&str>| DeniedDevice {
        uuid: uuid.to_owned(),
        name: name.map(str::to_owned),
    };
    assert_eq!(
        client(&server.url()).denied().unwrap(),
        [
            device("a [2J", Some("x y")),
            device("b", None),
            device("c", None)
        ]
    );
}

#[test]
fn whatever_else_comes_is_an_error() {
    for (answer, wanted) in [
        (status(401, "who?"), "`URL` answered 401: who?"),
        (status(404, ""), "`URL` answered 404"),
        (status(502, ""), "`URL` is not available: it answered 502"),
        (
            Answer::Close,
            "`URL` is not available: the connection was lost",
        ),
        (
            ok("[]"),
            "the answer of `URL` cannot be used: it is not the JSON that is wanted",
        ),
        (
            ok("{}"),
            "the answer of `URL` cannot be used: it is not the JSON that is wanted",
        ),
        (
            ok(r#"{"devices": {}}"#),
            "the answer of `URL` cannot be used: it is not the JSON that is wanted",
        ),
        (
            Answer::Huge(200, 100 << 20),
            "the answer of `URL` cannot be used: it is longer than 64 KiB, or breaks off",
        ),
        (
            Answer::With(307, "Location: https://evil.example\r\n", String::new()),
            "`URL` sends us to `https://evil.example`, and redirects are not followed",
        ),
    ] {
        let server = MockServer::start(vec![answer]);
        let found = uuids(client(&server.url()).denied());
        assert_eq!(found, Err(wanted.replace("URL", &server.url())));
        assert_eq!(server.lines().len(), 1);
    }
}

#[test]
fn a_list_without_end_is_given_up() {
    let full = || page(&["a"], "\"x\"");
    let server = MockServer::start((0..2001).map(|_| full()).collect());
    let wanted = format!(
        "the answer of `{}` cannot be used: the list of denied devices has no end",
        server.url()
    );
    assert_eq!(uuids(client(&server.url()).denied()), Err(wanted));
    assert_eq!(server.lines().len(), 2000);
}

#[test]
fn a_device_is_taken_off_the_list() {
    let server = MockServer::start(vec![status(204, ""), status(404, ""), status(403, "no")]);
    let api = client(&server.url());
    assert_eq!(api.allow_again(UUID), Ok(Removal::Removed));
    assert_eq!(api.allow_again(UUID), Ok(Removal::NotListed));
    let error = api.allow_again("../x").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`{}` answered 403: no", server.url())
    );
    let base = "DELETE /ota/factories/demo-factory/denied-devices";
    let line = format!("{base}/{UUID}/");
    assert_eq!(
        server.lines(),
        [line.clone(), line, format!("{base}/..%2Fx/")]
    );
}

#[test]
fn a_factory_s_name_is_one_segment_of_the_path() {
    let server = MockServer::start(vec![page(&[], "null")]);
    let api = DeviceApi::new(&config(&server.url()), "a/b ?é", token());
    api.denied().unwrap();
    let path = "/ota/factories/a%2Fb%20%3F%C3%A9/denied-devices/";
    assert_eq!(server.lines(), [format!("GET {path}?limit=50&page=1")]);
}
