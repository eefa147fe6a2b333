//! Ours and the traits': no method of ours takes the name of a method of an extension trait.
//!
//! Each call below is written as a method, and its type says that the trait's method was meant. `flush` and
//! `close` of a connection are ours on purpose.

use asyncnet::{Connection, Error, LineStream, Writer};
use futures_lite::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, Bytes, Chain, FillBuf, Lines, ReadExactFuture,
    ReadFuture, ReadLineFuture, ReadToEndFuture, ReadToStringFuture, ReadUntilFuture,
    ReadVectoredFuture, Split, Take, WriteAllFuture, WriteFuture, WriteVectoredFuture,
};

use crate::pipe::End;
use crate::{WIDE, open, poll_once};

type Conn = Connection<End>;

fn reads(conn: &mut Conn) {
    let (mut bytes, mut text) = (Vec::new(), String::new());
    drop::<ReadFuture<'_, Conn>>(conn.read(&mut []));
    drop::<ReadVectoredFuture<'_, Conn>>(conn.read_vectored(&mut []));
    drop::<ReadExactFuture<'_, Conn>>(conn.read_exact(&mut []));
    drop::<ReadToEndFuture<'_, Conn>>(conn.read_to_end(&mut bytes));
    drop::<ReadToStringFuture<'_, Conn>>(conn.read_to_string(&mut text));
    drop::<FillBuf<'_, Conn>>(conn.fill_buf());
    conn.consume(0);
    drop::<ReadUntilFuture<'_, Conn>>(conn.read_until(0, &mut bytes));
    drop::<ReadLineFuture<'_, Conn>>(conn.read_line(&mut text));
}

fn takes_apart(conns: [Conn; 5]) {
    let [a, b, c, d, e] = conns;
    drop::<Bytes<Conn>>(a.bytes());
    drop::<Take<Conn>>(b.take(0));
    drop::<Lines<Conn>>(c.lines());
    drop::<Split<Conn>>(d.split(b','));
    drop::<Chain<Conn, &[u8]>>(e.chain(&[]));
}

fn writes(conn: &mut Conn, writer: &Writer<End>) {
    drop::<WriteFuture<'_, Conn>>(conn.write(&[]));
    drop::<WriteVectoredFuture<'_, Conn>>(conn.write_vectored(&[]));
    drop::<WriteAllFuture<'_, Conn>>(conn.write_all(&[]));
    let mut writer = writer;
    drop::<WriteFuture<'_, &Writer<End>>>(writer.write(&[]));
    drop::<WriteVectoredFuture<'_, &Writer<End>>>(writer.write_vectored(&[]));
    drop::<WriteAllFuture<'_, &Writer<End>>>(writer.write_all(&[]));
}

/// Ours, though the traits have them too.
async fn ours(conn: &mut Conn, writer: Writer<End>) -> Result<(), Error> {
    conn.flush().await?;
    writer.flush().await?;
    let by_reference = &writer;
    by_reference.flush().await?;
    let mut held = writer.clone();
    let by_reference = &mut held;
    by_reference.flush().await?;
    by_reference.close().await?;
    conn.close().await
}

#[test]
fn a_no_method_of_ours_takes_the_name_of_an_extension_trait() {
    let (mut conn, _peer) = open(WIDE, asyncnet::Config::default());
    let writer = conn.writer();
    reads(&mut conn);
    writes(&mut conn, &writer);
    takes_apart(std::array::from_fn(|_| open(WIDE, asyncnet::Config::default()).0));
    assert_eq!(poll_once(ours(&mut conn, writer)), std::task::Poll::Ready(Ok(())));
    let (mut conn, _peer) = open(WIDE, asyncnet::Config::default());
    let _ = futures_lite::StreamExt::boxed_local(LineStream::new(&mut conn));
}
