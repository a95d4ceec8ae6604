//! The batcher inside a web service made with axum: `cargo run --example service`.

#![allow(clippy::print_stdout)]

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{Request as HttpRequest, StatusCode};
use axum::routing::get;
use std::time::Duration;
use tower_service::Service;
use warpath::{BatchLookupBuilder, BatchPathLookup, Device, Error, FileType, GpuFilesystem, Request};

/// `GET /inode/etc/hosts`: handlers of many connections run at a time, and share batches.
async fn inode(State(batcher): State<BatchPathLookup>, Path(path): Path<String>) -> (StatusCode, String) {
    let request = Request::new([path]).timeout(Duration::from_millis(50));
    match batcher.resolve_async(request).await.map(|outcomes| outcomes.get(0)) {
        Ok(Ok(inode)) => (StatusCode::OK, inode.to_string()),
        Ok(Err(missing)) => (StatusCode::NOT_FOUND, missing.to_string()),
        Err(error @ Error::Rejected { .. }) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        Err(error @ Error::TimedOut) => (StatusCode::GATEWAY_TIMEOUT, error.to_string()),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// The service. `axum::serve(listener, router(batcher))` puts it on a socket.
fn router(batcher: BatchPathLookup) -> Router {
    Router::new().route("/inode/{*path}", get(inode)).with_state(batcher)
}

async fn ask(router: &mut Router, uri: &str) -> Result<(StatusCode, String), Box<dyn std::error::Error>> {
    let response = router.call(HttpRequest::get(uri).body(Body::empty())?).await?;
    let status = response.status();
    let body = to_bytes(response.into_body(), 1024).await?;
    Ok((status, String::from_utf8(body.to_vec())?))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let fs = GpuFilesystem::new(&Device::cpu(), 16)?;
    let etc = fs.add_file(0, "etc", FileType::Directory)?;
    let hosts = fs.add_file(etc, "hosts", FileType::Regular)?;
    let batcher = BatchLookupBuilder::new(&fs).build()?;
    let mut router = router(batcher.clone());

    tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
        let found = ask(&mut router, "/inode/etc/hosts").await?;
        assert_eq!(found, (StatusCode::OK, hosts.to_string()));
        let missing = ask(&mut router, "/inode/etc/passwd").await?;
        assert_eq!(missing, (StatusCode::NOT_FOUND, "no such file or directory".to_owned()));
        println!("{found:?}, {missing:?}");
        // At the end of the service: what waits is still answered, and what comes gets an error.
        batcher.shutdown();
        let closed = ask(&mut router, "/inode/etc/hosts").await?;
        assert_eq!(closed.0, StatusCode::INTERNAL_SERVER_ERROR);
        Ok(())
    })
}

#[test]
fn the_example_runs() {
    main().unwrap();
}
