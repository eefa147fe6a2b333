//! Brokers that are silent, late or hostile: they are given up in time, and tried again without haste.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::Figures;
use super::bed::{DEFAULT, KINDS, Server, Settings, run};
use super::hub::Hub;
use crate::relay::envelope::{Origin, write};
use crate::relay::place::Kind;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_broker_that_is_down_is_tried_again_within_a_second_for_ever() {
    for kind in KINDS {
        run(async {
            let hub = Hub::new(kind);
            hub.state().is_down = true;
            let server = Server::start(&hub, DEFAULT);
            sleep(60 * MINUTE).await;
            let dials = hub.state().dials;
            assert!((9000..=18100).contains(&dials), "{dials}");
            hub.state().is_down = false;
            let back = Instant::now();
            server.until_connected().await;
            assert!(back.elapsed() <= Duration::from_secs(1));
        });
    }
}

#[test]
fn a_broker_that_does_not_greet_is_given_up() {
    for kind in KINDS {
        run(async {
            let hub = Hub::new(kind);
            hub.state().is_frozen = true;
            let server = Server::start(&hub, DEFAULT);
            sleep(MINUTE).await;
            assert!(!server.figures().connected);
            let dials = hub.state().dials;
            assert!((5..=15).contains(&dials), "{dials}");
            hub.state().is_frozen = false;
            let back = Instant::now();
            server.until_connected().await;
            assert!(back.elapsed() <= Duration::from_secs(1));
        });
    }
}

#[test]
fn d1_a_broker_that_falls_silent_is_asked_and_then_given_up() {
    for kind in KINDS {
        run(async {
            let hub = Hub::new(kind);
            let server = Server::start(&hub, DEFAULT);
            server.until_connected().await;
            // It is there, and has nothing to say.
            sleep(60 * MINUTE).await;
            assert_eq!(hub.state().dials, 1);
            hub.state().is_frozen = true;
            let begin = Instant::now();
            server.until(|it| !it.connected).await;
            assert!(begin.elapsed() <= Duration::from_secs(11), "{:?}", begin.elapsed());
        });
    }
}

#[test]
fn a_slow_broker_is_waited_for() {
    for kind in KINDS {
        run(async {
            let hub = Hub::new(kind);
            let server = Server::start(&hub, DEFAULT);
            server.until_connected().await;
            hub.state().delay = Duration::from_secs(4);
            for n in 0..50 {
                server.say(&n.to_string()).await;
                sleep(Duration::from_secs(1)).await;
            }
            server.until(|it| it.outbox.published == 50).await;
            assert_eq!(hub.state().dials, 1);
        });
    }
}

#[test]
fn a_broker_that_confirms_nothing_is_given_up_whatever_else_it_sends() {
    for kind in KINDS {
        run(async {
            let hub = Hub::new(kind);
            let server = Server::start(&hub, DEFAULT);
            server.until_connected().await;
            hub.state().confirms_none = true;
            server.say("a").await;
            let begin = Instant::now();
            let mut number = 0;
            while server.figures().connected {
                number += 1;
                hub.publish(&write(Origin(u128::MAX), number, b"x\n"));
                sleep(Duration::from_secs(1)).await;
                assert!(begin.elapsed() <= Duration::from_secs(22));
            }
            hub.state().confirms_none = false;
            server.until(|it| it.outbox.published == 1).await;
        });
    }
}

#[test]
fn a_broker_that_refuses_is_tried_again_without_haste_and_the_room_goes_on() {
    let refusals = [
        (Kind::Nats, "-ERR 'Permissions Violation for Publish to \"x\"'\r\n"),
        (Kind::Nats, "hello\r\n"),
        (Kind::Nats, "MSG x 1 9999999999\r\n"),
        (Kind::Nats, "MSG x 1 1\r\nabcde\r\n"),
        (Kind::Redis, "-NOPERM No permissions to access a channel\r\n"),
        (Kind::Redis, "hello\r\n"),
        (Kind::Redis, "*1000000000\r\n"),
        (Kind::Redis, ">3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$9999999999\r\n"),
    ];
    for (kind, refusal) in refusals {
        run(async {
            let hub = Hub::new(kind);
            hub.state().refuses = Some(refusal);
            let mut server = Server::start(&hub, DEFAULT);
            for n in 0..60 {
                server.say(&n.to_string()).await;
                assert_eq!(server.hear().await, n.to_string());
                sleep(MINUTE).await;
            }
            let dials = hub.state().dials;
            assert!((200..=1000).contains(&dials), "{refusal}: {dials}");
            let own = server.figures().outbox;
            assert_eq!((own.published, own.kept), (0, 60), "{refusal}");
            // Once it is allowed, what was kept is published.
            hub.state().refuses = None;
            server.until(|it| it.outbox.published == 60).await;
        });
    }
}

#[test]
fn a_broker_that_answers_what_it_was_not_asked_is_tried_again_without_haste() {
    for (kind, answers) in [(Kind::Nats, "PONG\r\nPONG\r\n"), (Kind::Redis, ":1\r\n:1\r\n")] {
        run(async {
            let hub = Hub::new(kind);
            hub.state().refuses = Some(answers);
            let _server = Server::start(&hub, DEFAULT);
            sleep(60 * MINUTE).await;
            let dials = hub.state().dials;
            // Whether it is connected at this moment is chance: every connection settles first.
            assert!((200..=1000).contains(&dials), "{dials}");
        });
    }
}

#[test]
fn a_broker_that_sends_us_away_now_and_then_is_reached_again_at_once() {
    run(async {
        let hub = Hub::new(Kind::Nats);
        let server = Server::start(&hub, DEFAULT);
        for times in 1..=12 {
            server.until_connected().await;
            sleep(MINUTE).await;
            hub.tell("-ERR 'Maintenance'");
            sleep(Duration::from_secs(1)).await;
            let Figures { connected, reconnects, .. } = server.figures();
            assert!(connected && reconnects == times, "{times}: {reconnects}");
        }
    });
}

#[test]
fn a_broker_whose_messages_are_too_small_is_refused() {
    run(async {
        let hub = Hub::new(Kind::Nats);
        hub.state().info = r#"{"max_payload":60}"#.into();
        let server = Server::start(&hub, DEFAULT);
        sleep(10 * MINUTE).await;
        assert!(!server.figures().connected && hub.state().dials < 100);
    });
}

#[test]
fn a_broker_that_asks_in_the_middle_of_a_large_message_is_answered_behind_it() {
    run(async {
        let hub = Hub::new(Kind::Nats);
        hub.state().info = r#"{"max_payload":8388608}"#.into();
        hub.state().chunk = 64 << 10;
        let large = Settings { buffer: 8 << 20, max_line: 4 << 20, ..DEFAULT };
        let server = Server::start(&hub, large);
        server.until_connected().await;
        sleep(Duration::from_secs(1)).await;
        hub.state().is_frozen = true;
        // The broker stops to read in the middle.
        assert!(server.relay.say(&vec![b'x'; 3 << 20]));
        assert!(server.relay.say(&vec![b'y'; 3 << 20]));
        sleep(Duration::from_millis(100)).await;
        hub.tell("PING");
        sleep(Duration::from_millis(100)).await;
        hub.state().is_frozen = false;
        server.until(|it| it.outbox.published == 2).await;
        assert_eq!(hub.state().dials, 1);
    });
}
