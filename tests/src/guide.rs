//! The code of the guide, compiled and run: a module for each chapter.

macro_rules! chapters {
    ($($name:ident $file:literal)*) => {$(
        #[doc = include_str!(concat!("../../docs/guide/", $file))]
        mod $name {}
    )*};
}

chapters! {
    readme "README.md"
    getting_started "getting-started.md"
    choosing "choosing.md"
    blocks "blocks.md"
    ends "ends.md"
    deadlines "deadlines.md"
    many_clients "many-clients.md"
    tls "tls.md"
    shutdown "shutdown.md"
    limits "limits.md"
    moving "moving.md"
    adapters "adapters.md"
    security "security.md"
    performance "performance.md"
    design "design.md"
}

// They have Unix sockets in them, or programs of Unix.
#[cfg(unix)]
chapters! {
    streams "streams.md"
    testing "testing.md"
}
