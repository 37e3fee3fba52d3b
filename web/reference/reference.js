/* global SwaggerUIBundle */
SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  docExpansion: 'list',
  filter: true,
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  // No foreign host is asked what it thinks of the document.
  validatorUrl: null,
})
