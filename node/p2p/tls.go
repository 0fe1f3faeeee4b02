package p2p

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// certificate is a certificate in files that are renewed from time to time, by whatever
// obtains certificates on the machine.
type certificate struct {
	certFile, keyFile string

	mu      sync.Mutex
	cert    *tls.Certificate
	written time.Time // of the certificate file that was read
	checked time.Time
}

// checkInterval is how old news about the files may be.
const checkInterval = 10 * time.Second

func loadCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return c, nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

// get gives the certificate as it is in the files now. A renewed one that cannot be read
// does not replace the old one.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) > checkInterval {
		if info, err := os.Stat(c.certFile); err == nil && !info.ModTime().Equal(c.written) {
			if err := c.read(); err != nil {
				log.Errorw("renewed certificate cannot be used", "file", c.certFile, "error", err)
			}
		}
		c.checked = time.Now()
	}
	return c.cert, nil
}

func (c *certificate) read() error {
	info, err := os.Stat(c.certFile)
	if err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.cert, c.written, c.checked = &cert, info.ModTime(), time.Now()
	return nil
}
