import "media-chrome/media-control-bar";
import "media-chrome/media-controller";
import "media-chrome/media-fullscreen-button";
import "media-chrome/media-loading-indicator";
import "media-chrome/media-mute-button";
import "media-chrome/media-pip-button";
import "media-chrome/media-play-button";
import "media-chrome/media-volume-range";
import type { HTMLAttributes } from "preact";

type MediaElement = HTMLAttributes<HTMLElement> & {
  slot?: string;
  autohide?: string;
  fullscreenelement?: string;
  defaultstreamtype?: string;
  noautoseektolive?: boolean;
  nodefaultstore?: boolean;
  novolumepref?: boolean;
  loadingdelay?: string;
  notooltip?: boolean;
};

declare module "preact" {
  namespace JSX {
    interface IntrinsicElements {
      "media-controller": MediaElement;
      "media-control-bar": MediaElement;
      "media-fullscreen-button": MediaElement;
      "media-loading-indicator": MediaElement;
      "media-mute-button": MediaElement;
      "media-pip-button": MediaElement;
      "media-play-button": MediaElement;
      "media-volume-range": MediaElement;
    }
  }
}
