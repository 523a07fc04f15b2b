package ledger

import "testing"

func TestNetworkFileSystemsAreKnown(t *testing.T) {
	for magic, want := range map[int64]string{0x6969: "nfs", 0xff534d42: "cifs", 0xfe534d42: "smb", 0x01021997: "9p", 0xef53: "", 0x01021994: ""} {
		if got := networkName(magic); got != want {
			t.Errorf("%#x: %q, want %q", magic, got, want)
		}
	}
	if name := networkFileSystem(t.TempDir()); name != "" {
		t.Skipf("the temporary folder is on %s", name)
	}
}
