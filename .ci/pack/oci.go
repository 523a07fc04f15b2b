package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// descriptor, and what is below, are of the OCI image specification 1.1.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

// settings are what the last stage of the Dockerfile says.
type settings struct {
	User         string              `json:",omitempty"`
	ExposedPorts map[string]struct{} `json:",omitempty"`
	Env          []string            `json:",omitempty"`
	Entrypoint   []string            `json:",omitempty"`
	Cmd          []string            `json:",omitempty"`
	Volumes      map[string]struct{} `json:",omitempty"`
	WorkingDir   string              `json:",omitempty"`
	Labels       map[string]string   `json:",omitempty"`
	StopSignal   string              `json:",omitempty"`
}

const (
	media    = "application/vnd.oci.image."
	location = "deploy/container/Dockerfile"
)

// layout is an image layout that is being filled.
type layout struct {
	at    time.Time
	files []entry
}

// image writes the image for each architecture, all under one name: the version.
func image(version, to string, programs []string, at time.Time) error {
	text, err := os.ReadFile(location)
	if err != nil {
		return err
	}
	l := &layout{at: at}
	index := map[string]any{"schemaVersion": 2, "mediaType": media + "index.v1+json"}
	var manifests []descriptor
	for _, one := range programs {
		arch, path, _ := strings.Cut(one, "=")
		d, err := l.one(version, arch, path, string(text))
		if err != nil {
			return fmt.Errorf("image for %s: %w", arch, err)
		}
		manifests = append(manifests, d)
	}
	index["manifests"] = manifests
	all, err := l.document(media+"index.v1+json", index)
	if err != nil {
		return err
	}
	all.Annotations = map[string]string{"org.opencontainers.image.ref.name": version}
	top, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": media + "index.v1+json", "manifests": []descriptor{all}})
	if err != nil {
		return err
	}
	l.files = append(l.files, entry{name: "index.json", mode: 0o644, data: top}, entry{name: "oci-layout", mode: 0o644, data: []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		entry{name: "blobs/", mode: 0o755}, entry{name: "blobs/sha256/", mode: 0o755})
	packed, err := archive(l.files, at)
	if err != nil {
		return err
	}
	return os.WriteFile(to, packed, 0o644)
}

// one adds the image for an architecture.
func (l *layout) one(version, arch, path, dockerfile string) (descriptor, error) {
	program, err := os.ReadFile(path)
	if err != nil {
		return descriptor{}, err
	}
	run, err := lastStage(dockerfile)
	if err != nil {
		return descriptor{}, err
	}
	run.Labels = map[string]string{"org.opencontainers.image.title": "mishap", "org.opencontainers.image.version": version, "org.opencontainers.image.licenses": "Apache-2.0"}
	plain, err := archive([]entry{
		{name: "etc/", mode: 0o755}, {name: "etc/ssl/", mode: 0o755}, {name: "etc/ssl/certs/", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: authorities()},
		{name: "usr/", mode: 0o755}, {name: "usr/local/", mode: 0o755}, {name: "usr/local/bin/", mode: 0o755},
		{name: "usr/local/bin/mishap", mode: 0o755, data: program},
		{name: "var/", mode: 0o755}, {name: "var/lib/", mode: 0o755}, {name: "var/lib/mishap/", mode: 0o700, uid: 65532},
	}, l.at)
	if err != nil {
		return descriptor{}, err
	}
	packed, err := zipped(plain)
	if err != nil {
		return descriptor{}, err
	}
	layer := l.blob(media+"layer.v1.tar+gzip", packed)
	config, err := l.document(media+"config.v1+json", map[string]any{
		"created": l.at.Format(time.RFC3339), "architecture": arch, "os": "linux", "config": run,
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{digest(plain)}},
		"history": []map[string]any{{"created": l.at.Format(time.RFC3339), "created_by": location}},
	})
	if err != nil {
		return descriptor{}, err
	}
	manifest, err := l.document(media+"manifest.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": media + "manifest.v1+json", "config": config, "layers": []descriptor{layer},
	})
	manifest.Platform = &platform{arch, "linux"}
	return manifest, err
}

func (l *layout) document(kind string, v any) (descriptor, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return descriptor{}, err
	}
	return l.blob(kind, text), nil
}

func (l *layout) blob(kind string, data []byte) descriptor {
	sum := digest(data)
	l.files = append(l.files, entry{name: "blobs/sha256/" + strings.TrimPrefix(sum, "sha256:"), mode: 0o644, data: data})
	return descriptor{MediaType: kind, Digest: sum, Size: len(data)}
}

func digest(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

// authorities are the root certificates of Mozilla's program, of a pinned module;
// those that are trusted only under conditions, which a file cannot say, are left out.
func authorities() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes all
		}
	}
	return out.Bytes()
}

// lastStage reads how the image runs, so that the Dockerfile alone says it.
func lastStage(dockerfile string) (s settings, err error) {
	s.WorkingDir = "/"
	s.ExposedPorts, s.Volumes = map[string]struct{}{}, map[string]struct{}{}
	_, stage, found := strings.Cut(dockerfile, "\nFROM scratch\n")
	if !found {
		return s, fmt.Errorf("%s has no stage FROM scratch", location)
	}
	copied := 0
	for line := range strings.Lines(stage) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		var list []string
		if strings.HasPrefix(rest, "[") {
			if err := json.Unmarshal([]byte(rest), &list); err != nil {
				return s, fmt.Errorf("%s: %q: %w", location, strings.TrimSpace(line), err)
			}
		}
		switch word {
		case "", "#":
		case "COPY":
			copied++
		case "ENV":
			s.Env = strings.Fields(rest)
		case "USER":
			s.User = rest
		case "STOPSIGNAL":
			s.StopSignal = rest
		case "EXPOSE":
			s.ExposedPorts[rest+"/tcp"] = struct{}{}
		case "VOLUME":
			for _, one := range list {
				s.Volumes[one] = struct{}{}
			}
		case "ENTRYPOINT":
			s.Entrypoint = list
		case "CMD":
			s.Cmd = list
		default:
			return s, fmt.Errorf("%s: pack does not know %s", location, word)
		}
	}
	if copied != 3 {
		return s, fmt.Errorf("%s copies %d things, and pack knows of 3", location, copied)
	}
	return s, nil
}
