package p2p

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeCertificate makes files of a self-signed certificate for loopback.
func writeCertificate(t *testing.T, dir string, serial int64) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "peer"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for file, text := range map[string][]byte{certFile: certPEM, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, roots
}

func TestSecureWebSocket(t *testing.T) {
	certFile, keyFile, roots := writeCertificate(t, t.TempDir(), 1)
	server := newNode(t, 1, func(c *Config) {
		c.Listen = []string{"/ip4/127.0.0.1/tcp/0/tls/ws"}
		c.TLSCert, c.TLSKey = certFile, keyFile
	})
	client := newNode(t, 2, func(c *Config) {
		c.Client, c.Listen = true, nil
		c.dialTLS = &tls.Config{RootCAs: roots}
	})
	client.dial(server)
	m := outgoing(1000)
	client.Send(server.ID(), m)
	server.wantReceived(m)

	untrusting := newNode(t, 3, nil)
	if _, err := untrusting.Dial(t.Context(), server.Addrs()[0]); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: want an error about it, got %v", err)
	}
}

func TestCertificateIsRenewed(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, _ := writeCertificate(t, dir, 1)
	c, err := loadCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		t.Helper()
		c.checked = time.Time{} // long ago
		cert, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return cert.Leaf.SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("want certificate 1, got %d", got)
	}
	writeCertificate(t, dir, 2)
	os.Chtimes(certFile, time.Now(), time.Now().Add(time.Second))
	if got := serial(); got != 2 {
		t.Errorf("want certificate 2, got %d", got)
	}
	os.WriteFile(certFile, []byte("broken"), 0o600)
	if got := serial(); got != 2 {
		t.Errorf("want certificate 2 while the file is broken, got %d", got)
	}
	if _, err := loadCertificate(certFile, keyFile); err == nil {
		t.Error("want an error for a broken file at the start")
	}
}
