package source

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"golang.org/x/crypto/ssh"

	"mishap"
)

// signedBy refuses a commit that none of the keys has signed; without keys every
// commit may be used.
func signedBy(commit *object.Commit, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	refuse := func(format string, args ...any) error {
		return mishap.WithHint(fmt.Errorf("commit %.12s "+format, append([]any{commit.Hash.String()}, args...)...), "sign it with a key of signedBy, or list its key there")
	}
	if commit.PGPSignature == "" {
		return refuse("is not signed")
	}
	var last error
	for _, key := range keys {
		if strings.Contains(key, "BEGIN PGP") {
			if _, last = commit.Verify(key); last == nil {
				return nil
			}
			continue
		}
		if last = verifySSH(commit, key); last == nil {
			return nil
		}
	}
	return refuse("is signed by none of the listed keys: %w", last)
}

// sshSignature is a signature as PROTOCOL.sshsig of OpenSSH has it.
type sshSignature struct {
	Version   uint32
	PublicKey string
	Namespace string
	Reserved  string
	Hash      string
	Signature string
}

// verifySSH checks that the owner of the key (a line of authorized_keys) signed
// the commit.
func verifySSH(commit *object.Commit, line string) error {
	wantedKey, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return fmt.Errorf("read key: %w", err)
	}
	block, _ := pem.Decode([]byte(commit.PGPSignature))
	const magic = "SSHSIG"
	if block == nil || block.Type != "SSH SIGNATURE" || !bytes.HasPrefix(block.Bytes, []byte(magic)) {
		return errors.New("its signature is not one of SSH")
	}
	var sig sshSignature
	if err := ssh.Unmarshal(block.Bytes[len(magic):], &sig); err != nil || sig.Version != 1 || sig.Namespace != "git" {
		return errors.New("its SSH signature is malformed, or not for git")
	}
	if sig.PublicKey != string(wantedKey.Marshal()) {
		return errors.New("another key signed it")
	}
	var blob ssh.Signature
	if err := ssh.Unmarshal([]byte(sig.Signature), &blob); err != nil {
		return errors.New("its SSH signature is malformed")
	}
	if blob.Format == ssh.KeyAlgoRSA {
		return errors.New("it is signed with SHA-1")
	}
	text, err := unsigned(commit)
	if err != nil {
		return err
	}
	var digest []byte
	switch sig.Hash {
	case "sha256":
		sum := sha256.Sum256(text)
		digest = sum[:]
	case "sha512":
		sum := sha512.Sum512(text)
		digest = sum[:]
	default:
		return fmt.Errorf("it is signed with hash %q", sig.Hash)
	}
	signed := ssh.Marshal(struct{ Namespace, Reserved, Hash, Digest string }{sig.Namespace, sig.Reserved, sig.Hash, string(digest)})
	return wantedKey.Verify(append([]byte(magic), signed...), &blob)
}

// unsigned is the commit as it was before its signature was added.
func unsigned(commit *object.Commit) ([]byte, error) {
	raw := &plumbing.MemoryObject{}
	if err := commit.EncodeWithoutSignature(raw); err != nil {
		return nil, err
	}
	in, err := raw.Reader()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(in)
}
