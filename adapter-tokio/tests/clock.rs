//! The clock of tokio as the driver sees it.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use asyncnet::{Clock as _, Runtime};
use asyncnet_tokio::Tokio;

#[test]
fn d4_an_alarm_strikes_though_it_was_set_when_the_task_had_used_up_its_turn() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        let mut clock = Tokio::clock();
        let at = clock.now() + Duration::from_millis(20);
        let mut limit = pin!(Tokio::sleep(Duration::from_secs(10)));
        let mut is_set = false;
        poll_fn(|cx| {
            assert!(limit.as_mut().poll(cx).is_pending(), "the alarm calls nobody");
            if !is_set {
                is_set = true;
                while pin!(tokio::task::consume_budget()).poll(cx).is_ready() {}
                assert!(clock.poll_alarm(cx, at).is_pending());
            }
            if clock.now() < at { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    });
}
