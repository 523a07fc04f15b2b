package metrics

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"mishap"
	"mishap/internal/analysis"
	"mishap/internal/spawn"
)

const (
	longestLine  = 256 << 10              // bytes of a line of a command
	longestSaid  = 4 << 10                // bytes of its standard error that are kept
	unreadLines  = 1000                   // beyond which the command has to wait
	lingerLimit  = 500 * time.Millisecond // how long children may hold standard error open
	longestDelay = 10 * time.Minute
	tolerated    = 2 * time.Second // that clocks may be apart
)

// command is a source that reads the output of a command, which it starts when
// it is asked for the first time.
type command struct {
	params  commandParams
	secrets *secrets
	reader  lineReader // used by the goroutine that reads, alone
	needs   []mishap.MetricKind
	units   bool // one of the metrics needs them
	lines   chan line
	done    chan struct{} // closed by Close
	said    tail

	mu      sync.Mutex // guards what follows
	started bool
	closed  bool
	running *spawn.Cmd // nil once it is over
	reading sync.WaitGroup
	ended   string
	delay   time.Duration
	width   time.Duration
}

// line is what became of a line: a bucket, or what is wrong with it.
type line struct {
	bucket *analysis.Bucket
	err    error
	late   time.Duration // after the end of the bucket
}

func newCommand(d Deps, p commandParams) *command {
	return &command{params: p, secrets: &secrets{deps: d}, lines: make(chan line, unreadLines), done: make(chan struct{}), delay: p.Delay.Std()}
}

// Prepare looks whether there is such a command.
func (c *command) Prepare(context.Context) error {
	_, err := c.program()
	return err
}

func (c *command) program() (string, error) {
	path, err := spawn.Find(c.params.Argv[0], c.params.Dir, os.Getenv("PATH"))
	if err != nil {
		return "", fmt.Errorf("find command: %w: %w", ErrUnavailable, err)
	}
	return path, nil
}

// Closed takes what the command has printed since the last call.
func (c *command) Closed(context.Context) ([]analysis.Bucket, error) {
	if err := c.start(); err != nil {
		return nil, err
	}
	var buckets []analysis.Bucket
	var problems []error
	for {
		select {
		case l, ok := <-c.lines:
			switch {
			case !ok:
				return buckets, errors.Join(append(problems, c.how())...)
			case l.bucket != nil:
				buckets = append(buckets, *l.bucket)
				c.note(l)
			}
			if l.err != nil {
				problems = append(problems, l.err)
			}
		default:
			return buckets, errors.Join(problems...)
		}
	}
}

func (c *command) note(l line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delay, c.width = max(c.delay, l.late), l.bucket.Width
}

// start starts the command, once.
func (c *command) start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.started {
		return nil
	}
	if c.closed {
		return fmt.Errorf("%w: it was closed", ErrOver)
	}
	program, err := c.program()
	if err != nil {
		return err
	}
	cmd := spawn.Command(program)
	cmd.Args = c.params.Argv
	cmd.OwnGroup()
	cmd.Dir, cmd.Env = c.params.Dir, os.Environ()
	for _, name := range slices.Sorted(maps.Keys(c.params.Env)) {
		value, err := c.secrets.resolve("with.env."+name, c.params.Env[name])
		if err != nil {
			return err
		}
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stderr, cmd.WaitDelay = &c.said, lingerLimit
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start command: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start command: %w: %w", ErrUnavailable, err)
	}
	c.started, c.running = true, cmd
	c.reader = lineReader{needs: slices.Clone(c.needs), units: c.units, delay: c.params.Delay.Std(), quote: c.secrets.quote}
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, longestLine)
	c.reading.Go(func() { c.read(scanner) })
	return nil
}

// read reads lines until there are no more, or one is too long.
func (c *command) read(scanner *bufio.Scanner) {
	defer close(c.lines)
	for scanner.Scan() {
		bucket, late, err := c.reader.read(scanner.Bytes(), time.Now())
		if bucket != nil || err != nil {
			c.send(line{bucket, err, late})
		}
	}
	if errors.Is(scanner.Err(), bufio.ErrTooLong) {
		c.send(line{err: fmt.Errorf("line %d of the command is longer than %d KiB; the command is killed", c.reader.number+1, longestLine>>10)})
	}
	c.end()
}

// send waits while nobody reads: the command is held up, and not the memory
// filled.
func (c *command) send(l line) {
	select {
	case c.lines <- l:
	case <-c.done:
	}
}

// end kills what there still is of the command, and notes how it ended.
func (c *command) end() {
	c.mu.Lock()
	cmd := c.running
	c.running = nil // its process group may be another's as soon as it is waited for
	_ = cmd.KillGroup()
	c.mu.Unlock()
	_ = cmd.Wait()
	said := ""
	if text := c.said.text(); text != "" {
		said = ", it said " + c.secrets.quote(text)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = fmt.Sprintf("%s%s", cmd.ProcessState, said)
}

// how is how the command has ended.
func (c *command) how() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Errorf("%w: the command has ended, %s", ErrOver, c.ended)
}

// Close kills the command with its process group, and waits for its end.
func (c *command) Close() error {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.done)
	}
	if c.running != nil {
		_ = c.running.KillGroup()
	}
	c.mu.Unlock()
	c.reading.Wait()
	return nil
}

// Delay is what the parameters say, or the latest that a bucket ever was.
func (c *command) Delay() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.delay
}

// Width is that of the newest bucket.
func (c *command) Width() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.width
}

// tail keeps the end of what is written.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - longestSaid; over > 0 {
		t.kept = slices.Clone(t.kept[over:])
	}
	return len(p), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
