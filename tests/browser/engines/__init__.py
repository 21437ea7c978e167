"""Firefox and WebKitGTK, driven by their own protocols: Marionette and WebDriver. Chromium has Playwright."""
