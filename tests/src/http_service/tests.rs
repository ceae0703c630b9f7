use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::header::LOCATION;
use serde_json::json;
use tokio::net::TcpStream;

use super::test_client::{call, open, try_call};
use super::{HttpService, ServiceFault, ServiceReply};

fn start() -> HttpService {
    let reply = json!({ "a": 1, "b": 2 });
    HttpService::start("test", None, move |_| {
        ServiceReply::json(StatusCode::OK, &reply)
    })
    .unwrap()
}

#[tokio::test]
async fn faulty_reply_replaces_the_correct_one() {
    let service = start();
    for (fault, status, text) in [
        (ServiceFault::Status(503), 503, ""),
        (ServiceFault::Body("{\"a\":"), 200, "{\"a\":"),
        (
            ServiceFault::Patch(json!({ "b": null, "c": 3 })),
            200,
            r#"{"a":1,"c":3}"#,
        ),
        (
            ServiceFault::Html,
            200,
            "<html><body>Please sign in</body></html>",
        ),
        (ServiceFault::Redirect("http://a.test/".into()), 302, ""),
    ] {
        service.set_fault(Some(fault.clone()));
        let reply = call(&service, "GET /", &[], "").await;
        assert_eq!((reply.status, &*reply.text), (status, text), "{fault:?}");
    }
    service.set_fault(Some(ServiceFault::Close));
    assert!(try_call(&service, "GET /", &[], "").await.is_err());
    service.set_fault(None);
    let reply = call(&service, "GET /", &[], "").await;
    assert_eq!(reply.json(), json!({ "a": 1, "b": 2 }));
    assert_eq!(service.count("/"), 7);
}

#[tokio::test]
async fn fault_affects_its_path_and_its_number_of_requests() {
    let service = start();
    service.set_fault_of_path("/a", ServiceFault::Status(500));
    for (line, status) in [("GET /a?x", 500), ("GET /b", 200), ("GET /a", 500)] {
        assert_eq!(call(&service, line, &[], "").await.status, status, "{line}");
    }
    service.fault_next(2, ServiceFault::Status(500));
    for status in [500, 500, 200, 200] {
        assert_eq!(call(&service, "GET /a", &[], "").await.status, status);
    }
    assert_eq!((service.count("/a"), service.count("/b")), (6, 1));
}

#[tokio::test]
async fn endless_body_goes_on_until_the_client_leaves() {
    let service = start();
    service.set_fault(Some(ServiceFault::EndlessBody));
    let stream = TcpStream::connect(service.address()).await.unwrap();
    let reply = open(stream, "GET /", &[], "").await.unwrap();
    let mut body = reply.into_body();
    let mut bytes = 0;
    while bytes < 1 << 20 {
        bytes += body
            .frame()
            .await
            .unwrap()
            .unwrap()
            .into_data()
            .unwrap()
            .len();
    }
}

#[tokio::test]
async fn redirect_names_its_target() {
    let service = start();
    service.set_fault(Some(ServiceFault::Redirect("http://a.test/".into())));
    let stream = TcpStream::connect(service.address()).await.unwrap();
    let reply = open(stream, "GET /", &[], "").await.unwrap();
    assert_eq!(reply.headers()[LOCATION], "http://a.test/");
}

#[tokio::test]
async fn hanging_request_ends_with_the_service() {
    let service = start();
    service.set_fault(Some(ServiceFault::Hang));
    let address = service.address();
    let stream = TcpStream::connect(address).await.unwrap();
    let hanging = tokio::spawn(async move { open(stream, "GET /", &[], "").await.is_err() });
    crate::eventually::eventually("the request arrives", async || service.count("/") == 1).await;
    assert!(!hanging.is_finished());
    drop(service);
    assert!(hanging.await.unwrap());
    assert!(TcpStream::connect(address).await.is_err());
}
