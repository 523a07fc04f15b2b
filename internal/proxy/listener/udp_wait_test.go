package listener

import (
	"context"
	"errors"
	"log/slog"
	"mishap/internal/proxy/stream"
	"net"
	"strconv"
	"testing"
	"time"
)

// waitingUDP is a proxy of datagrams whose second and later clients look for their upstream until found is closed.
func waitingUDP(t *testing.T, found <-chan struct{}, outcome error) (l *UDP, looking <-chan struct{}) {
	t.Helper()
	echo, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		buf := make([]byte, maxDatagram)
		for {
			n, from, err := echo.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = echo.WriteTo(buf[:n], from)
		}
	}()
	shared := stream.NewResources(1 << 20)
	l = NewUDP(Config{Name: "dns", Listen: "127.0.0.1:0", Upstream: "db.example:53"}, slog.New(slog.DiscardHandler), shared)
	first, started := true, make(chan struct{}, udpClients)
	l.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		if !first {
			started <- struct{}{}
			select {
			case <-found:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			if outcome != nil {
				return nil, outcome
			}
		}
		first = false
		return new(net.Dialer).DialContext(ctx, network, echo.LocalAddr().String())
	}
	if err := l.Listen(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { l.Serve(ctx); close(served) }()
	t.Cleanup(func() {
		cancel()
		l.Close()
		<-served
		shared.Clock.Close()
		_ = echo.Close()
	})
	return l, started
}

func clientOf(t *testing.T, l *UDP) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", l.conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// say sends a datagram.
func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// hear waits for a datagram.
func hear(t *testing.T, c net.Conn, want string) {
	t.Helper()
	buf := make([]byte, 100)
	n, err := c.Read(buf)
	if err != nil || string(buf[:n]) != want {
		t.Fatalf("got %q, %v; want %q", buf[:n], err, want)
	}
}

// The README's guarantee: one loop reads everybody's datagrams, and waits for nobody.
func TestANewClientOfUDPStopsNoOther(t *testing.T) {
	found := make(chan struct{})
	l, looking := waitingUDP(t, found, nil)
	a, b := clientOf(t, l), clientOf(t, l)
	say(t, a, "one")
	hear(t, a, "one")
	say(t, b, "first")
	<-looking // and b's upstream is not found while a goes on
	for n := range 100 {
		say(t, a, strconv.Itoa(n))
		hear(t, a, strconv.Itoa(n))
	}
	say(t, b, "second")
	say(t, a, "behind")
	hear(t, a, "behind") // so that the loop has read b's too
	close(found)
	hear(t, b, "first") // what waited comes in order
	hear(t, b, "second")
	if s := l.Status(); s.Refused != 0 || s.Total != 2 || s.Open != 2 {
		t.Errorf("%+v", s)
	}
}

func TestDatagramsThatWaitForAnUpstreamAreBounded(t *testing.T) {
	found := make(chan struct{})
	l, looking := waitingUDP(t, found, nil)
	a, b := clientOf(t, l), clientOf(t, l)
	say(t, a, "one")
	hear(t, a, "one")
	const more = 10
	for n := range udpWaiting + more {
		say(t, b, strconv.Itoa(n))
		say(t, a, "read") // so that none is lost in the system's buffer
		hear(t, a, "read")
	}
	<-looking
	if s := l.Status(); s.Refused != more {
		t.Errorf("%d refused, want %d", s.Refused, more)
	}
	close(found)
	for n := range udpWaiting {
		hear(t, b, strconv.Itoa(n))
	}
	if used, _ := l.shared.Budget.State(); used != 0 {
		t.Errorf("%d bytes are still reserved", used)
	}
}

func TestDatagramsForAnUpstreamThatIsNotFoundAreCounted(t *testing.T) {
	found := make(chan struct{})
	l, looking := waitingUDP(t, found, errors.New("no such host"))
	a, b := clientOf(t, l), clientOf(t, l)
	say(t, a, "one")
	hear(t, a, "one")
	say(t, b, "lost")
	<-looking
	close(found)
	for l.Status().Refused != 1 || l.Status().Open != 1 { // the test's own limit ends it
		time.Sleep(time.Millisecond)
	}
	if used, _ := l.shared.Budget.State(); used != 0 {
		t.Errorf("%d bytes are still reserved", used)
	}
	say(t, a, "two")
	hear(t, a, "two")
}
