package table

import (
	"context"
	"net"

	"cloud.google.com/go/cloudsqlconn"
)

// dialer makes connections that need no TLS of their own.
type dialer interface {
	dial(ctx context.Context) (net.Conn, error)
	close()
}

// cloudSQL dials one instance, with the application's default credentials.
type cloudSQL struct {
	dialer   *cloudsqlconn.Dialer
	instance string
}

func dialCloudSQL(ctx context.Context, c Config) (*cloudSQL, error) {
	// Refreshing only when dialling suits runs that end.
	options := []cloudsqlconn.Option{cloudsqlconn.WithLazyRefresh(), cloudsqlconn.WithUserAgent("rclone-datom")}
	if c.IAM {
		options = append(options, cloudsqlconn.WithIAMAuthN())
	}
	if c.PrivateIP {
		options = append(options, cloudsqlconn.WithDefaultDialOptions(cloudsqlconn.WithPrivateIP()))
	}
	d, err := cloudsqlconn.NewDialer(ctx, options...)
	if err != nil {
		return nil, err
	}
	return &cloudSQL{d, c.Instance}, nil
}

func (c *cloudSQL) dial(ctx context.Context) (net.Conn, error) {
	return c.dialer.Dial(ctx, c.instance)
}

func (c *cloudSQL) close() { _ = c.dialer.Close() }
