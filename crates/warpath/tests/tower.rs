//! The batcher as a `tower` service.

#![cfg(feature = "tower")]

mod common;

use common::TestEngine;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tower_service::Service;
use warpath::{BatchLookupBuilder, Device, Error, FileType, GpuFilesystem, Request, WhenFull};

#[test]
fn a_service_is_ready_while_its_queue_has_room_and_answers_what_it_took() {
    let engine = TestEngine::new();
    let device = Device::from_engine(Arc::clone(&engine) as Arc<_>).without_fallback();
    let fs = GpuFilesystem::new(&device, 16).unwrap();
    fs.add_file(0, "a", FileType::Regular).unwrap();
    let builder = BatchLookupBuilder::new(&fs).max_in_flight(1);
    let mut service = builder.queue_capacity(1, WhenFull::Wait).build().unwrap();
    let mut context = Context::from_waker(Waker::noop());

    assert!(matches!(Service::poll_ready(&mut service, &mut context), Poll::Ready(Ok(()))));
    engine.close();
    let running = service.call(Request::new(["/a"]));
    engine.wait_for(1);
    assert!(Service::poll_ready(&mut service, &mut context).is_ready(), "the queue is empty");
    let queued = service.call(Request::new(["/b"]));
    assert!(Service::poll_ready(&mut service, &mut context).is_pending(), "the queue is full");
    engine.open();
    assert_eq!(running.wait().unwrap().get(0), Ok(1));
    assert!(queued.wait().unwrap().get(0).is_err());
    assert!(Service::poll_ready(&mut service, &mut context).is_ready());
    service.shutdown();
    assert_eq!(service.call(Request::new(["/a"])).wait(), Err(Error::Closed));
}
