import "media-chrome/media-captions-button";
import "media-chrome/media-control-bar";
import "media-chrome/media-controller";
import "media-chrome/media-fullscreen-button";
import "media-chrome/media-loading-indicator";
import "media-chrome/media-mute-button";
import "media-chrome/media-pip-button";
import "media-chrome/media-play-button";
import "media-chrome/media-preview-thumbnail";
import "media-chrome/media-preview-time-display";
import "media-chrome/media-time-display";
import "media-chrome/media-time-range";
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
  showduration?: boolean;
  notoggle?: boolean;
  notooltip?: boolean;
};

declare module "preact" {
  namespace JSX {
    interface IntrinsicElements {
      "media-controller": MediaElement;
      "media-captions-button": MediaElement;
      "media-control-bar": MediaElement;
      "media-fullscreen-button": MediaElement;
      "media-loading-indicator": MediaElement;
      "media-mute-button": MediaElement;
      "media-pip-button": MediaElement;
      "media-play-button": MediaElement;
      "media-preview-thumbnail": MediaElement;
      "media-preview-time-display": MediaElement;
      "media-time-display": MediaElement;
      "media-time-range": MediaElement;
      "media-volume-range": MediaElement;
    }
  }
}
