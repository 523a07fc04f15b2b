package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wallVariable names the file whose first eight bytes say by how many seconds the
// wall clock of a test program is wrong.
const wallVariable = "MISHAP_TEST_WALL"

// wall is the wall clock of one machine, as the programs of a test see it: the
// servers, keepers and proxies that have its variable. Their monotonic clocks and the
// time since boot stay true, as they do when an administrator or NTP sets a clock.
type wall struct {
	path string
	off  *atomic.Int64
}

func newWall(t *testing.T) *wall {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("SKIPPED: the wall clock is set in machine code, for amd64")
	}
	w := &wall{path: filepath.Join(t.TempDir(), "wall")}
	if err := os.WriteFile(w.path, make([]byte, os.Getpagesize()), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.off, err = offset(w.path); err != nil {
		t.Fatal(err)
	}
	return w
}

// env gives a program this clock.
func (w *wall) env() string { return wallVariable + "=" + w.path }

// jump sets the clock, to whole seconds away from the true time.
func (w *wall) jump(away time.Duration) { w.off.Store(int64(away / time.Second)) }

// offset maps the file.
func offset(path string) (*atomic.Int64, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	page, err := unix.Mmap(int(f.Fd()), 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*atomic.Int64)(unsafe.Pointer(&page[0])), nil
}

// followWall lets this process ask a clock that a test sets. There is one place that
// every program asks for the time, and that is no part of mishap: the function of the
// kernel's that is mapped into each process. It is replaced by one that makes the
// system call and adds what the file says. So nothing in mishap can be made to jump
// outside of its tests, and nothing in it, or in its libraries, is left out.
func followWall(path string) error {
	if path == "" {
		return nil
	}
	if runtime.GOARCH != "amd64" {
		return errors.New("follow wall clock: the code is for amd64")
	}
	off, err := offset(path)
	if err != nil {
		return fmt.Errorf("follow wall clock: %w", err)
	}
	code := []byte{0xb8, unix.SYS_CLOCK_GETTIME, 0, 0, 0, 0x0f, 0x05} // mov eax, …; syscall
	code = append(code, 0x85, 0xff, 0x75, 16)                         // test edi, edi; jne over the rest: not the wall clock
	code = append(code, 0x48, 0xb9)                                   // mov rcx, address of the offset
	code = binary.LittleEndian.AppendUint64(code, uint64(uintptr(unsafe.Pointer(off))))
	code = append(code, 0x48, 0x8b, 0x09, 0x48, 0x01, 0x0e, 0xc3) // mov rcx, [rcx]; add [rsi], rcx; ret
	memory, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)    // it writes what is mapped for reading, too
	if err != nil {
		return fmt.Errorf("follow wall clock: %w", err)
	}
	defer memory.Close()
	at, err := kernelFunctions(memory)
	if err != nil {
		return fmt.Errorf("follow wall clock: %w", err)
	}
	clock, room := at["__vdso_clock_gettime"], at["__vdso_gettimeofday"] // nothing in Go asks the latter
	jump := binary.LittleEndian.AppendUint32([]byte{0xe9}, uint32(room-clock-5))
	_, errRoom := memory.WriteAt(code, room)
	_, errClock := memory.WriteAt(jump, clock)
	return errors.Join(errRoom, errClock)
}

// kernelFunctions are the addresses of what the kernel has mapped into this process.
func kernelFunctions(memory *os.File) (map[string]int64, error) {
	const header = 33 // AT_SYSINFO_EHDR
	vector, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		return nil, err
	}
	base := int64(0)
	for ; len(vector) >= 16; vector = vector[16:] {
		if binary.LittleEndian.Uint64(vector) == header {
			base = int64(binary.LittleEndian.Uint64(vector[8:]))
		}
	}
	image := make([]byte, 2*os.Getpagesize())
	if n, err := memory.ReadAt(image, base); n < os.Getpagesize() {
		return nil, fmt.Errorf("read what the kernel maps at %x: %w", base, err)
	}
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return nil, err
	}
	symbols, err := file.DynamicSymbols()
	all := map[string]int64{}
	for _, s := range symbols {
		all[s.Name] = base + int64(s.Value)
	}
	if all["__vdso_clock_gettime"] == 0 || all["__vdso_gettimeofday"] == 0 {
		err = errors.Join(err, errors.New("the kernel maps no clock"))
	}
	return all, err
}

// The clock that tests set is the one that programs go by, and no other one moves.
func TestTheWallClockOfATestProgramJumpsAlone(t *testing.T) {
	const hour, moment = time.Hour, time.Minute
	if path := os.Getenv(wallVariable); path != "" { // in the process below
		off, err := offset(path)
		if err != nil {
			t.Fatal(err)
		}
		var boot, after unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot)
		began := time.Now()
		off.Store(int64(-hour / time.Second))
		now := time.Now()
		_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &after)
		if wall := now.Round(0).Sub(began.Round(0)); wall < -hour || wall > moment-hour {
			t.Errorf("the wall clock moved by %s", wall)
		}
		if d := now.Sub(began); d < 0 || d > moment || time.Duration(after.Nano()-boot.Nano()) > moment {
			t.Errorf("another clock moved by %s, or by %s", d, time.Duration(after.Nano()-boot.Nano()))
		}
		return
	}
	t.Parallel()
	c := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	c.Env = append(os.Environ(), newWall(t).env())
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
